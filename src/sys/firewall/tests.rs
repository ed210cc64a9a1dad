//! The table in a network namespace of its own.

use super::*;
use crate::sys::namespace::{Namespace, NamespaceKind, create_pinned, in_namespaces, unpin};

fn forward(port: u16, host_ip: Option<Ipv4Addr>, to: u8) -> PortForward {
    PortForward {
        transport: Transport::Tcp,
        host_ip,
        host_port: port,
        to: SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, to), 80),
    }
}

/// Runs the test in a network namespace of its own, with the table `pw-test`.
fn with_firewall(test: impl FnOnce(&Firewall, &Rules<'_>) + Send) {
    let name = LinkName::parse("pw-test").expect("name");
    let firewall = Firewall::find(&name, &name);
    if !nix::unistd::geteuid().is_root() || firewall.is_err() {
        eprintln!("skipped: lacks root or nft");
        return;
    }
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("net");
    create_pinned(&[(NamespaceKind::Net, &path)]).expect("namespace");
    let namespace = Namespace::open(NamespaceKind::Net, &path).expect("namespace");
    let rules = Rules {
        subnet: "10.99.0.0/24".parse().expect("subnet"),
        passage: Passage::Except(&["other*"]),
    };
    in_namespaces(&[&namespace], || {
        test(&firewall.expect("nft"), &rules);
    })
    .expect("entered");
    unpin(&path).expect("unpinned");
}

#[test]
fn what_is_published_is_listed_until_it_is_withdrawn() {
    with_firewall(|firewall, rules| {
        let (web, local) = (
            forward(8080, None, 2),
            forward(8081, Some(Ipv4Addr::LOCALHOST), 3),
        );
        let dns = PortForward {
            transport: Transport::Udp,
            ..forward(53, None, 2)
        };
        assert_eq!(firewall.forwards().expect("no table"), []);
        firewall.withdraw(&[web]).expect("nothing to withdraw");
        firewall.publish(rules, &[web, dns]).expect("published");
        firewall.publish(rules, &[local]).expect("published");
        firewall.publish(rules, &[web]).expect("a second time");
        let mut listed = firewall.forwards().expect("listed");
        listed.sort();
        let mut expected = vec![web, dns, local];
        expected.sort();
        assert_eq!(listed, expected);

        firewall.withdraw(&[web, dns]).expect("withdrawn");
        assert_eq!(firewall.forwards().expect("listed"), [local]);
        firewall.withdraw(&[web, local]).expect("one is left");
        assert_eq!(firewall.forwards().expect("listed"), []);
        firewall.publish(rules, &[web, local]).expect("published");
        firewall
            .withdraw_address(Ipv4Addr::new(10, 99, 0, 2))
            .expect("withdrawn");
        assert_eq!(firewall.forwards().expect("listed"), [local]);
        firewall.remove().expect("removed");
        firewall.remove().expect("a second time is no error");
        let listing = firewall.run(&["list", "ruleset"], "").expect("run");
        assert_eq!(listing.stdout, b"");
    });
}

#[test]
fn a_port_that_leads_elsewhere_is_refused_and_nothing_changes() {
    with_firewall(|firewall, rules| {
        let (first, second) = (forward(8080, None, 2), forward(8080, None, 3));
        firewall.publish(rules, &[first]).expect("published");
        let error = firewall
            .publish(rules, &[forward(9090, None, 3), second])
            .expect_err("taken");
        assert!(error.to_string().contains("File exists"), "{error}");
        firewall.withdraw(&[second]).expect("not ours");
        assert_eq!(firewall.forwards().expect("listed"), [first]);
    });
}

#[test]
fn a_forward_chain_that_drops_is_told() {
    with_firewall(|firewall, rules| {
        firewall.publish(rules, &[]).expect("table");
        let policy = firewall.forward_policy().expect("policy");
        assert_eq!(policy, ForwardPolicy::Accept);
        firewall
            .run_script(
                "add table ip filter\nadd chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }\n",
            )
            .expect("another's table");
        let chain = "ip filter FORWARD".to_owned();
        let policy = firewall.forward_policy().expect("policy");
        assert_eq!(policy, ForwardPolicy::Drop { chain });
    });
}
