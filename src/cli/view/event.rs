//! An event as `events` shows it.

use std::collections::BTreeMap;

use gotmpl::ToValue as _;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::super::output::{Column, Row};
use crate::model::event::{EventRecord, EventSubject};

/// One event with podman's fields.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct EventRow {
    name: String,
    status: &'static str,
    time: String,
    time_nano: i64,
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(rename = "ID")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    image: String,
    #[serde(rename = "PodID", skip_serializing_if = "String::is_empty")]
    pod_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_exit_code: Option<i32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    health_status: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    #[serde(skip)]
    text: String,
}

impl EventRow {
    /// Returns the event in one line.
    pub(in crate::cli) fn text(&self) -> &str {
        &self.text
    }
}

impl From<&EventRecord> for EventRow {
    fn from(event: &EventRecord) -> Self {
        use crate::model::event::EventAction;
        let subject = &event.subject;
        let (image, pod_id) = match subject {
            EventSubject::Container { image, pod, .. } => (image.clone(), pod.to_string()),
            _ => (String::new(), String::new()),
        };
        let mut attributes = subject.labels().cloned().unwrap_or_default();
        if let Some(reason) = event.reason {
            attributes.insert("reason".to_owned(), reason.to_string());
        }
        if let Some(message) = &event.message {
            attributes.insert("message".to_owned(), message.clone());
        }
        if let EventAction::Kill { signal } = event.action {
            attributes.insert("signal".to_owned(), signal.to_string());
        }
        let health_status = match event.action {
            EventAction::HealthStatus { healthy: true } => "healthy",
            EventAction::HealthStatus { healthy: false } => "unhealthy",
            _ => "",
        };
        Self {
            name: subject.name().to_owned(),
            status: event.action.word(),
            time: event.at.to_string(),
            time_nano: i64::try_from(event.at.as_nanosecond()).unwrap_or(i64::MAX),
            kind: subject.kind(),
            id: subject.id().to_owned(),
            text: line(event, &image, &pod_id, &attributes),
            image,
            pod_id,
            container_exit_code: event.action.code(),
            health_status: health_status.to_owned(),
            attributes,
        }
    }
}

/// Returns the event as podman words it: when, what, which, and in parentheses the rest.
fn line(
    event: &EventRecord,
    image: &str,
    pod: &str,
    attributes: &BTreeMap<String, String>,
) -> String {
    let time = event.at.to_zoned(TimeZone::system());
    let time = time.strftime("%Y-%m-%d %H:%M:%S.%9f %z %Z");
    let mut rest = Vec::new();
    if !image.is_empty() {
        rest.push(format!("image={image}"));
    }
    rest.push(format!("name={}", event.subject.name()));
    if !pod.is_empty() {
        rest.push(format!("pod_id={pod}"));
    }
    if let Some(code) = event.action.code() {
        rest.push(format!("exit_code={code}"));
    }
    rest.extend(
        attributes
            .iter()
            .map(|(key, value)| format!("{key}={value}")),
    );
    let (kind, status) = (event.subject.kind(), event.action.word());
    let text = format!(
        "{time} {kind} {status} {} ({})",
        event.subject.id(),
        rest.join(", ")
    );
    // A message of a program must not end the line or move the cursor.
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(visible).collect()
}

impl Row for EventRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<EventRow>] = &[
            Column::new("Name", "NAME", |row| row.name.to_value()),
            Column::new("Status", "STATUS", |row| row.status.to_value()),
            Column::new("Time", "TIME", |row| row.time.to_value()),
            Column::new("TimeNano", "TIME", |row| row.time_nano.to_value()),
            Column::new("Type", "TYPE", |row| row.kind.to_value()),
            Column::new("ID", "ID", |row| row.id.to_value()),
            Column::new("Image", "IMAGE", |row| row.image.to_value()),
            Column::new("PodID", "POD ID", |row| row.pod_id.to_value()),
            Column::new("HealthStatus", "HEALTH", |row| row.health_status.to_value()),
            Column::new("ContainerExitCode", "CODE", |row| {
                i64::from(row.container_exit_code.unwrap_or_default()).to_value()
            }),
        ];
        COLUMNS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{EventAction, EventReason};

    #[test]
    fn an_event_is_one_line_with_everything_that_is_known() {
        let event = EventRecord {
            at: jiff::Timestamp::UNIX_EPOCH,
            subject: EventSubject::Container {
                id: crate::names::ContainerId::parse(&"a".repeat(64)).unwrap(),
                name: "web-main".to_owned(),
                image: "localhost/x:latest".to_owned(),
                pod: crate::names::PodId::parse(&"b".repeat(64)).unwrap(),
                pod_name: "web".to_owned(),
                labels: [("app".to_owned(), "x".to_owned())].into(),
            },
            action: EventAction::Died { code: 137 },
            reason: Some(EventReason::OOMKilled),
            message: Some("two\nlines".to_owned()),
        };
        let row = EventRow::from(&event);
        assert!(row.text().starts_with("19"), "{}", row.text());
        let end = format!(
            "container died {} (image=localhost/x:latest, name=web-main, pod_id={}, exit_code=137, app=x, message=two lines, reason=OOMKilled)",
            "a".repeat(64),
            "b".repeat(64)
        );
        assert!(row.text().ends_with(&end), "{}", row.text());
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!(json["ContainerExitCode"], 137);
        assert_eq!(json["Attributes"]["reason"], "OOMKilled");
    }
}
