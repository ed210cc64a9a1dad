//! "Did you mean": the known name nearest to one that is not known.

/// Returns the candidate nearest to a name, if any is near enough to be meant.
pub(super) fn closest<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    if name.len() > 64 {
        return None;
    }
    let most = 1 + name.len() / 4;
    let distances = candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate));
    distances
        .filter(|&(distance, _)| distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The number of letters to change, ignoring case except to break a tie.
fn distance(one: &str, other: &str) -> usize {
    if one.eq_ignore_ascii_case(other) {
        return 0;
    }
    let other: Vec<char> = other.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let letter = letter.to_ascii_lowercase();
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, &wanted) in other.iter().enumerate() {
            let change = diagonal + usize::from(letter != wanted);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_field_and_nonsense_finds_none() {
        let fields = ["containers", "initContainers", "volumes", "hostNetwork"];
        assert_eq!(closest("Containers", fields), Some("containers"));
        assert_eq!(closest("container", fields), Some("containers"));
        assert_eq!(closest("hostnetwrok", fields), Some("hostNetwork"));
        assert_eq!(closest("banana", fields), None);
    }
}
