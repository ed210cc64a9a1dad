//! Carries out what a hook asks for.

use std::sync::Arc;

use crate::engine::start::Context;
use crate::model::container::Handler;
use crate::names::ContainerName;

/// Runs a hook to its end; an error says how it failed.
pub(super) async fn run(
    _context: &Arc<Context>,
    _name: &ContainerName,
    handler: &Handler,
) -> Result<(), String> {
    match handler {
        Handler::Sleep(span) => {
            tokio::time::sleep(span.duration()).await;
            Ok(())
        }
        _ => Err("not supported yet".to_owned()),
    }
}
