//! Pods on a bridge: who reaches whom, and what is left afterwards.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use podwright::engine::network::{
    BridgeNetwork, DefaultRoute, HostNetwork, NetworkError, NetworkWarning, OtherPods, PodNetwork,
    free_subnet, hold_ports, set_up, tear_down,
};
use podwright::model::network::{Protocol, PublishedPort};
use podwright::subnet::Ipv4Subnet;
use podwright::sys::firewall::FirewallError;
use podwright::sys::socket::PortError;

use crate::support::network::{HOST, HostAndOutside, Netns, OUTSIDE, ask, link};

fn tcp(host_port: u16) -> PublishedPort {
    PublishedPort {
        protocol: Protocol::Tcp,
        host_ip: None,
        host_port,
        container_port: 80,
    }
}

fn udp(host_port: u16) -> PublishedPort {
    PublishedPort {
        protocol: Protocol::Udp,
        ..tcp(host_port)
    }
}

fn on(ip: Ipv4Addr, port: PublishedPort) -> PublishedPort {
    PublishedPort {
        host_ip: Some(IpAddr::V4(ip)),
        ..port
    }
}

fn bridge(host: HostNetwork, subnet: Ipv4Subnet) -> BridgeNetwork {
    BridgeNetwork {
        host,
        subnet,
        gateway: subnet.first_host(),
        internal: false,
    }
}

/// The n-th address for a pod, from 0.
fn nth(bridge: &BridgeNetwork, number: usize) -> Ipv4Addr {
    let number = u32::try_from(number).expect("few");
    Ipv4Addr::from_bits(bridge.subnet.network().to_bits() + 2 + number)
}

/// A pod on the bridge, and its namespace.
struct Pod {
    netns: Netns,
    network: PodNetwork,
}

impl Pod {
    /// Makes the namespace and decides the network; the address is the subnet's n-th.
    fn new(world: &HostAndOutside, number: usize, ports: &[PublishedPort]) -> Self {
        let host = HostNetwork::of_root(Path::new("/srv/test"));
        let subnet = world.host.run(|| {
            let present = host.subnet().expect("subnet");
            present.unwrap_or_else(|| free_subnet(&BTreeSet::new()).expect("subnet"))
        });
        Self::on(world, bridge(host, subnet), number, ports)
    }

    /// As [`Self::new`], on a bridge of the test's choice.
    fn on(
        world: &HostAndOutside,
        bridge: BridgeNetwork,
        number: usize,
        ports: &[PublishedPort],
    ) -> Self {
        let netns = Netns::bare(world.dir.path(), &format!("pod{number}"));
        let network = PodNetwork {
            address: nth(&bridge, number),
            bridge,
            link: link(&format!("veth-pod{number}")),
            interface: PodNetwork::interface_of(0),
            default_route: DefaultRoute::Here,
            mac: None,
            ports: ports.to_vec(),
            netns: netns.path().to_owned(),
        };
        Self { netns, network }
    }

    fn set_up(world: &HostAndOutside, number: usize, ports: &[PublishedPort]) -> Self {
        let pod = Self::new(world, number, ports);
        let warnings = world.host.run(|| set_up(&pod.network).expect("set up"));
        assert_eq!(warnings, []);
        pod
    }

    fn tear_down(&self, world: &HostAndOutside, others: OtherPods) {
        world
            .host
            .run(|| tear_down(&self.network, others).expect("torn down"));
    }
}

#[test]
fn a_published_port_answers_on_loopback_on_the_host_address_and_from_outside() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let pod = Pod::set_up(&world, 0, &[tcp(8080), udp(5353)]);
    let gateway = pod.network.bridge.gateway;
    pod.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "web");
    pod.netns.serve_udp(Ipv4Addr::UNSPECIFIED, 80, "dns");

    let from_gateway = format!("web {gateway}");
    let answer = world.host.ask_tcp(Ipv4Addr::LOCALHOST, 8080);
    assert_eq!(answer.expect("loopback"), from_gateway);
    let answer = world.host.ask_tcp(Ipv4Addr::new(127, 0, 0, 9), 8080);
    assert_eq!(answer.expect("another loopback address"), from_gateway);
    let answer = world.host.ask_tcp(HOST, 8080).expect("own address");
    assert!(answer.starts_with("web "), "{answer}");
    // Who comes from outside is seen with its own address.
    let answer = world.outside.ask_tcp(HOST, 8080);
    assert_eq!(answer.expect("from outside"), format!("web {OUTSIDE}"));

    let answer = world.host.ask_udp(Ipv4Addr::LOCALHOST, 5353);
    assert_eq!(answer.expect("loopback"), format!("dns {gateway}"));
    let answer = world.outside.ask_udp(HOST, 5353);
    assert_eq!(answer.expect("from outside"), format!("dns {OUTSIDE}"));

    // The pod's own address answers to the host without any publishing.
    let answer = world.host.ask_tcp(pod.network.address, 80);
    assert_eq!(answer.expect("the pod itself"), from_gateway);
    assert!(world.host.ask_tcp(HOST, 8081).is_err());
}

#[test]
fn pods_reach_each_other_and_themselves_by_published_ports_too() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let one = Pod::set_up(&world, 0, &[tcp(8001)]);
    let two = Pod::set_up(&world, 1, &[tcp(8002)]);
    one.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "one");
    two.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "two");

    let answer = one.netns.ask_tcp(two.network.address, 80);
    let direct = format!("two {}", one.network.address);
    assert_eq!(answer.expect("directly"), direct);
    let gateway = one.network.bridge.gateway;
    for address in [HOST, gateway] {
        let answer = one.netns.ask_tcp(address, 8002);
        assert_eq!(answer.expect("another pod"), format!("two {gateway}"));
        let answer = one.netns.ask_tcp(address, 8001);
        assert_eq!(answer.expect("itself"), format!("one {gateway}"));
    }
    let answer = one.netns.ask_tcp(Ipv4Addr::LOCALHOST, 80);
    assert_eq!(answer.expect("its own loopback"), "one 127.0.0.1");
}

#[test]
fn a_pod_shows_the_host_address_outside() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let pod = Pod::set_up(&world, 0, &[]);
    world.outside.serve_tcp(OUTSIDE, 80, "outside");
    world.host.serve_tcp(HOST, 81, "host");
    let answer = pod.netns.ask_tcp(OUTSIDE, 80);
    assert_eq!(answer.expect("outside"), format!("outside {HOST}"));
    let answer = pod.netns.ask_tcp(HOST, 81);
    assert_eq!(
        answer.expect("host"),
        format!("host {}", pod.network.address)
    );
}

#[test]
fn a_port_on_one_host_address_answers_there_only() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let ports = [on(Ipv4Addr::LOCALHOST, tcp(8080)), on(HOST, tcp(8081))];
    let pod = Pod::set_up(&world, 0, &ports);
    pod.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "web");
    world.host.ask_tcp(Ipv4Addr::LOCALHOST, 8080).expect("here");
    assert!(world.host.ask_tcp(HOST, 8080).is_err());
    assert!(world.outside.ask_tcp(HOST, 8080).is_err());
    world.outside.ask_tcp(HOST, 8081).expect("from outside");
    assert!(world.host.ask_tcp(Ipv4Addr::LOCALHOST, 8081).is_err());
}

#[test]
fn one_port_leads_to_different_pods_on_different_host_addresses() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let local = Pod::set_up(&world, 0, &[on(Ipv4Addr::LOCALHOST, tcp(8080))]);
    let public = Pod::set_up(&world, 1, &[on(HOST, tcp(8080))]);
    local.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "local");
    public.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "public");
    let answer = world.host.ask_tcp(Ipv4Addr::LOCALHOST, 8080);
    assert!(answer.expect("loopback").starts_with("local "));
    let answer = world.outside.ask_tcp(HOST, 8080);
    assert!(answer.expect("outside").starts_with("public "));
}

#[test]
fn the_last_pod_takes_bridge_and_table_with_it() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let before = world.host.links();
    let one = Pod::set_up(&world, 0, &[tcp(8001)]);
    let two = Pod::set_up(&world, 1, &[on(HOST, udp(8002))]);
    two.netns.serve_udp(Ipv4Addr::UNSPECIFIED, 80, "two");
    one.tear_down(&world, OtherPods::Remain);
    assert!(!world.host.ruleset().contains("8001"));
    assert!(!world.host.links().contains(&"veth-pod0".to_owned()));
    let answer = world.outside.ask_udp(HOST, 8002);
    answer.expect("the other pod still answers");

    // A pod that came in the meantime keeps the bridge, whatever the caller thought.
    one.tear_down(&world, OtherPods::None);
    let answer = world.outside.ask_udp(HOST, 8002);
    answer.expect("the other pod still answers");
    two.tear_down(&world, OtherPods::None);
    assert_eq!(world.host.links(), before);
    assert_eq!(world.host.ruleset(), "");
    two.tear_down(&world, OtherPods::None);
}

#[test]
fn a_failing_set_up_leaves_nothing() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let before = world.host.links();
    // An interface inside has the name already.
    let taken = Pod::new(&world, 0, &[tcp(8080)]);
    let mut netlink = podwright::sys::netlink::Netlink::open_in(&taken.netns.open()).expect("open");
    netlink
        .add_bridge(&link("eth0"), [2, 0, 0, 0, 9, 9])
        .expect("made");
    let error = world
        .host
        .run(|| set_up(&taken.network))
        .expect_err("taken");
    assert!(matches!(error, NetworkError::Netlink(_)), "{error}");
    assert_eq!(world.host.links(), before);
    assert_eq!(world.host.ruleset(), "");

    // What was planned does not fit the bridge.
    let good = Pod::set_up(&world, 1, &[tcp(8080)]);
    let rules = world.host.ruleset();
    let mut bad = Pod::new(&world, 2, &[tcp(8081)]);
    bad.network.address = good.network.bridge.gateway;
    let error = world
        .host
        .run(|| set_up(&bad.network))
        .expect_err("refused");
    assert!(matches!(error, NetworkError::Address { .. }), "{error}");
    bad.network.bridge.subnet = "10.200.0.0/24".parse().expect("subnet");
    bad.network.address = Ipv4Addr::new(10, 200, 0, 2);
    let error = world
        .host
        .run(|| set_up(&bad.network))
        .expect_err("changed");
    assert!(
        matches!(error, NetworkError::SubnetChanged { .. }),
        "{error}"
    );
    assert_eq!(world.host.ruleset(), rules);
    assert!(!world.host.links().contains(&"veth-pod2".to_owned()));
}

#[test]
fn what_a_killed_run_has_left_is_replaced() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let old = Pod::set_up(&world, 0, &[tcp(8080)]);
    let mut new = Pod::new(&world, 1, &[tcp(8080)]);
    new.network.link = old.network.link.clone();
    world.host.run(|| set_up(&new.network).expect("set up"));
    new.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "new");
    let answer = world.host.ask_tcp(Ipv4Addr::LOCALHOST, 8080);
    assert!(answer.expect("answer").starts_with("new "));
}

#[test]
fn a_udp_client_that_keeps_its_socket_finds_the_next_pod() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let client = world.outside.connect_udp(HOST, 5353);
    assert!(ask(&client).is_err(), "nobody is there yet");
    let old = Pod::set_up(&world, 0, &[udp(5353)]);
    old.netns.serve_udp(Ipv4Addr::UNSPECIFIED, 80, "old");
    assert!(ask(&client).expect("the first pod").starts_with("old "));
    old.tear_down(&world, OtherPods::Remain);
    let new = Pod::set_up(&world, 1, &[udp(5353)]);
    new.netns.serve_udp(Ipv4Addr::UNSPECIFIED, 80, "new");
    assert!(ask(&client).expect("the second pod").starts_with("new "));
}

#[test]
fn a_table_that_somebody_removed_is_made_again_by_the_next_pod() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let _first = Pod::set_up(&world, 0, &[]);
    for (number, ports) in [(1, vec![tcp(8001)]), (2, vec![])] {
        world.host.run(|| {
            let status = std::process::Command::new("nft")
                .args(["flush", "ruleset"])
                .status();
            assert!(status.expect("nft").success());
        });
        let _pod = Pod::set_up(&world, number, &ports);
        assert!(world.host.ruleset().contains("masquerade"));
    }
}

#[test]
fn a_pod_does_not_reach_what_listens_on_the_hosts_loopback() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let pod = Pod::set_up(&world, 0, &[on(Ipv4Addr::LOCALHOST, tcp(8080))]);
    pod.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "web");
    world.host.serve_tcp(Ipv4Addr::LOCALHOST, 9000, "secret");
    let try_from = |netns: &Netns, device: &str, via: Ipv4Addr, port: u16| {
        // What an attacker with the right over its own namespace does: packets to 127.0.0.1 leave
        // by the network device instead of the loopback device.
        let script = format!(
            "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip rule add pref 5 lookup local; \
             ip rule del pref 0; ip rule add pref 1 to 127.0.0.1 dport {port} lookup 77; \
             ip route add default via {via} dev {device} table 77; \
             exec 3<>/dev/tcp/127.0.0.1/{port} && cat <&3"
        );
        netns.run(|| {
            std::process::Command::new("timeout")
                .args(["2", "bash", "-c", &script])
                .output()
                .expect("bash")
        })
    };
    let gateway = pod.network.bridge.gateway;
    let output = try_from(&pod.netns, "eth0", gateway, 9000);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    // A port published on 127.0.0.1 is no more to be reached from the next machine.
    let output = try_from(&world.outside, "card", HOST, 8080);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    world.host.ask_tcp(Ipv4Addr::LOCALHOST, 8080).expect("here");
}

#[test]
fn a_taken_port_is_found_before_anything_is_made() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    world.host.serve_tcp(HOST, 8080, "foreign");
    world.host.run(|| {
        let error = hold_ports(&[tcp(8079), tcp(8080)]).expect_err("taken");
        let NetworkError::Port(PortError::Taken { owner, .. }) = error else {
            panic!("{error}");
        };
        assert_eq!(owner.expect("owner").pid, std::process::id());
        let held = hold_ports(&[tcp(8079), on(Ipv4Addr::LOCALHOST, tcp(8080))]).expect("held");
        assert!(hold_ports(&[tcp(8079)]).is_err());
        drop(held);
        hold_ports(&[tcp(8079)]).expect("free again");
        let v6 = PublishedPort {
            host_ip: Some("::1".parse().expect("address")),
            ..tcp(8079)
        };
        let error = hold_ports(&[v6]).expect_err("IPv6");
        assert!(matches!(error, NetworkError::Ipv6HostAddress { .. }));
    });
}

#[test]
fn a_host_that_drops_forwarded_packets_is_told_of() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let script = "add table ip filter\nadd chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }\n";
    let file = world.dir.path().join("drop.nft");
    std::fs::write(&file, script).expect("written");
    world.host.run(|| {
        let status = std::process::Command::new("nft")
            .arg("-f")
            .arg(&file)
            .status();
        assert!(status.expect("nft").success());
    });
    let pod = Pod::new(&world, 0, &[]);
    let warnings = world.host.run(|| set_up(&pod.network).expect("set up"));
    let [NetworkWarning::ForwardDropped { chain, .. }] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    assert_eq!(chain, "ip filter FORWARD");
    pod.tear_down(&world, OtherPods::None);
    assert!(world.host.ruleset().contains("policy drop"), "not ours");
}

#[test]
fn the_missing_program_is_named() {
    let text = FirewallError::Unavailable.to_string();
    assert!(text.contains("install the package `nftables`"), "{text}");
}

/// A network of its own, with its own bridge.
fn another(name: &str, subnet: &str, internal: bool) -> BridgeNetwork {
    let name = name.parse().expect("name");
    let host = HostNetwork::of_network(Path::new("/srv/test"), &name);
    BridgeNetwork {
        internal,
        ..bridge(host, subnet.parse().expect("subnet"))
    }
}

#[test]
fn networks_are_kept_apart_but_for_published_ports() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let front = Pod::set_up(&world, 0, &[tcp(8001)]);
    let back = Pod::on(
        &world,
        another("back", "10.201.0.0/24", false),
        1,
        &[tcp(8002)],
    );
    world.host.run(|| set_up(&back.network).expect("set up"));
    front.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "front");
    back.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "back");

    for (from, to, port, word) in [
        (&front, &back, 8002, "back "),
        (&back, &front, 8001, "front "),
    ] {
        assert!(from.netns.ask_tcp(to.network.address, 80).is_err());
        let answer = from.netns.ask_tcp(HOST, port).expect("published");
        assert!(answer.starts_with(word), "{answer}");
    }
    // Both are the host's and reach the outside.
    world.outside.serve_tcp(OUTSIDE, 80, "outside");
    for pod in [&front, &back] {
        world
            .host
            .ask_tcp(pod.network.address, 80)
            .expect("the host reaches it");
        let answer = pod.netns.ask_tcp(OUTSIDE, 80).expect("the outside");
        assert_eq!(answer, format!("outside {HOST}"));
    }
    back.tear_down(&world, OtherPods::None);
    front
        .netns
        .ask_tcp(OUTSIDE, 80)
        .expect("the other network stays");
}

#[test]
fn an_internal_network_leads_nowhere_but_to_its_pods_and_the_host() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let inside = another("inside", "10.201.0.0/24", true);
    let pods: Vec<Pod> = [0, 1]
        .map(|number| Pod::on(&world, inside.clone(), number, &[]))
        .into();
    for pod in &pods {
        world.host.run(|| set_up(&pod.network).expect("set up"));
        pod.netns.serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "inside");
    }
    world.outside.serve_tcp(OUTSIDE, 80, "outside");
    pods[0]
        .netns
        .ask_tcp(pods[1].network.address, 80)
        .expect("its neighbour");
    world
        .host
        .ask_tcp(pods[0].network.address, 80)
        .expect("the host reaches it");
    // It has a default route here, and still nothing comes through.
    assert!(pods[0].netns.ask_tcp(OUTSIDE, 80).is_err());
}

#[test]
fn a_pod_on_two_networks_reaches_both_and_has_one_default_route() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let (one, two) = (
        another("one", "10.201.0.0/24", true),
        another("two", "10.202.0.0/24", false),
    );
    let pod = Pod::on(&world, one.clone(), 0, &[]);
    let second = PodNetwork {
        bridge: two.clone(),
        link: link("vet1-pod0"),
        interface: PodNetwork::interface_of(1),
        address: nth(&two, 0),
        ..pod.network.clone()
    };
    let first = PodNetwork {
        default_route: DefaultRoute::Elsewhere,
        ..pod.network.clone()
    };
    world.host.run(|| {
        set_up(&first).expect("set up");
        set_up(&second).expect("set up");
    });
    let (left, right) = (Pod::on(&world, one, 1, &[]), Pod::on(&world, two, 2, &[]));
    for (neighbour, own) in [(&left, &first), (&right, &second)] {
        world
            .host
            .run(|| set_up(&neighbour.network).expect("set up"));
        neighbour
            .netns
            .serve_tcp(Ipv4Addr::UNSPECIFIED, 80, "neighbour");
        let answer = pod.netns.ask_tcp(neighbour.network.address, 80);
        assert_eq!(
            answer.expect("a neighbour"),
            format!("neighbour {}", own.address)
        );
    }
    assert!(left.netns.ask_tcp(right.network.address, 80).is_err());
    world.outside.serve_tcp(OUTSIDE, 80, "outside");
    pod.netns
        .ask_tcp(OUTSIDE, 80)
        .expect("by the second network");
}

#[test]
fn a_subnet_that_the_host_has_come_to_use_is_refused() {
    let Some(world) = HostAndOutside::new() else {
        return;
    };
    let pod = Pod::on(&world, another("late", "192.0.2.128/25", false), 0, &[]);
    let error = world.host.run(|| set_up(&pod.network)).expect_err("in use");
    assert!(matches!(error, NetworkError::SubnetInUse { .. }), "{error}");
    assert_eq!(world.host.ruleset(), "");
}
