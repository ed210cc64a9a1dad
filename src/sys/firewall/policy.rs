//! What the host's own packet filter does with packets that it forwards.

use super::chains;
use super::program::{find_program, run_program};
use super::{Firewall, FirewallError};

/// What the host's own packet filter does with packets that it forwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardPolicy {
    /// Nothing drops by default.
    Accept,
    /// A chain drops what it has no rule for, which may be what a bridge sends and receives.
    Drop {
        /// The chain, as `nft list chain` or `iptables -S` names it.
        chain: String,
    },
}

impl Firewall {
    /// Tells whether another table or the older iptables drops forwarded packets by default.
    ///
    /// # Errors
    /// The kernel does not tell, or `iptables` cannot be run.
    pub fn forward_policy(&self) -> Result<ForwardPolicy, FirewallError> {
        let chains = chains::dropping_chains().map_err(FirewallError::Ask)?;
        let mut others = chains
            .iter()
            .filter(|chain| chain.table != self.table.as_str());
        if let Some(chain) = others.next() {
            return Ok(ForwardPolicy::Drop {
                chain: format!("{} {} {}", chain.family, chain.table, chain.name),
            });
        }
        legacy_forward_policy()
    }
}

/// Asks the older iptables, whose rules `nft` does not show, where the kernel has its table.
fn legacy_forward_policy() -> Result<ForwardPolicy, FirewallError> {
    let tables = std::fs::read_to_string("/proc/thread-self/net/ip_tables_names");
    let in_use = tables.is_ok_and(|names| names.lines().any(|name| name == "filter"));
    let program = find_program("iptables-legacy").or_else(|| find_program("iptables"));
    let Some(program) = program.filter(|_| in_use) else {
        return Ok(ForwardPolicy::Accept);
    };
    let output = run_program(&program, &["-w", "-S", "FORWARD"], "")?;
    let rules = String::from_utf8_lossy(&output.stdout);
    Ok(
        match rules.lines().find(|rule| *rule == "-P FORWARD DROP") {
            Some(rule) => ForwardPolicy::Drop {
                chain: format!("iptables {rule}"),
            },
            None => ForwardPolicy::Accept,
        },
    )
}
