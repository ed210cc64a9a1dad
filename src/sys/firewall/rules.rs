//! The table's text.

use std::fmt::Write as _;

use super::Firewall;
use crate::subnet::Ipv4Subnet;

/// What a table's rules are about, beside its bridge.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The bridge's network.
    pub subnet: Ipv4Subnet,
    pub passage: Passage<'a>,
}

/// Which packets pass between the bridge and other links.
#[derive(Debug, Clone, Copy)]
pub enum Passage<'a> {
    /// None.
    Closed,
    /// All but those from links of these names, `*` at the end standing for anything; to published
    /// ports also those.
    Except(&'a [&'a str]),
}

impl Firewall {
    /// Returns the table without its elements.
    ///
    /// `add` changes nothing that is there, except that a rule would be added once more: the
    /// chains are emptied first. All of it is one transaction, so no packet sees an empty chain.
    pub(super) fn rules(&self, rules: &Rules<'_>) -> String {
        let (table, bridge, subnet) = (&self.table, &self.bridge, rules.subnet);
        let mut text = format!(
            r#"add table inet {table}
add map inet {table} published {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
add map inet {table} published_on {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
add chain inet {table} guard {{ type filter hook prerouting priority -300; policy accept; }}
add chain inet {table} publish
add chain inet {table} prerouting {{ type nat hook prerouting priority -100; policy accept; }}
add chain inet {table} passage {{ type filter hook forward priority 0; policy accept; }}
add chain inet {table} output {{ type nat hook output priority -100; policy accept; }}
add chain inet {table} postrouting {{ type nat hook postrouting priority 100; policy accept; }}
flush chain inet {table} guard
flush chain inet {table} publish
flush chain inet {table} prerouting
flush chain inet {table} passage
flush chain inet {table} output
flush chain inet {table} postrouting
add rule inet {table} guard iifname "{bridge}" ip daddr 127.0.0.0/8 drop
add rule inet {table} guard iifname "{bridge}" ip saddr 127.0.0.0/8 drop
add rule inet {table} publish dnat ip to ip daddr . meta l4proto . th dport map @published_on
add rule inet {table} publish dnat ip to meta l4proto . th dport map @published
add rule inet {table} prerouting iifname != "lo" ip daddr 127.0.0.0/8 return
add rule inet {table} prerouting fib daddr type local jump publish
add rule inet {table} output fib daddr type local jump publish
add rule inet {table} postrouting oifname "{bridge}" ip saddr 127.0.0.0/8 masquerade
add rule inet {table} postrouting oifname "{bridge}" ip saddr {subnet} ct status dnat masquerade
add rule inet {table} postrouting oifname != "{bridge}" ip saddr {subnet} ip daddr != 224.0.0.0/4 masquerade
"#
        );
        for rule in self.passage(rules.passage) {
            writeln!(text, "add rule inet {table} passage {rule}")
                .expect("writing to a string cannot fail");
        }
        text
    }

    fn passage(&self, passage: Passage<'_>) -> Vec<String> {
        let bridge = &self.bridge;
        match passage {
            Passage::Closed => vec![
                format!(r#"iifname "{bridge}" oifname != "{bridge}" drop"#),
                format!(r#"iifname != "{bridge}" oifname "{bridge}" drop"#),
            ],
            Passage::Except(links) => {
                let mut rules = vec![
                    format!(r#"oifname != "{bridge}" accept"#),
                    format!(r#"iifname "{bridge}" accept"#),
                    "ct status dnat accept".to_owned(),
                ];
                rules.extend(links.iter().map(|link| format!(r#"iifname "{link}" drop"#)));
                rules
            }
        }
    }
}
