//! Whatever many commands ask at once, each gets exactly one answer.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

/// What the world still owes the machine.
#[derive(Debug, Clone, Copy)]
enum Due {
    Start(usize),
    End(usize),
}

/// A pod whose processes start and end some time after they were told to.
struct World {
    bench: Bench,
    due: VecDeque<Due>,
    /// Which containers have a process.
    lives: [bool; 3],
    deaf: bool,
    removed: bool,
}

impl World {
    fn new(deaf: bool) -> Self {
        let roles = [(Role::Sidecar, "s"), (Role::App, "a"), (Role::App, "b")];
        Self {
            bench: Bench::new(RestartPolicy::Always, &roles),
            due: VecDeque::new(),
            lives: [false; 3],
            deaf,
            removed: false,
        }
    }

    fn obey(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Launch(place, _) => self.due.push_back(Due::Start(place)),
                Command::Kill(place) => self.due.push_back(Due::End(place)),
                Command::Signal(place, _) if !self.deaf => self.due.push_back(Due::End(place)),
                Command::Signal(..) | Command::Run(..) | Command::Freeze(_) | Command::Thaw(_) => {}
                Command::Remove => self.removed = true,
            }
        }
    }

    /// Lets the oldest thing that is due happen; tells whether there was one.
    fn happen(&mut self) -> bool {
        let Some(due) = self.due.pop_front() else {
            return false;
        };
        let commands = match due {
            Due::Start(place) => {
                assert!(!self.lives[place], "container {place} is started twice");
                self.lives[place] = true;
                self.bench.start(place)
            }
            Due::End(place) if std::mem::take(&mut self.lives[place]) => self.bench.end(place, 0),
            Due::End(_) => Vec::new(),
        };
        self.obey(commands);
        true
    }

    fn step(&mut self, choice: u8) {
        let place = match choice % 4 {
            3 => None,
            place => Some(usize::from(place)),
        };
        let grace = [None, Some(Seconds(0)), Some(Seconds(5))][usize::from(choice / 4 % 3)];
        let commands = match choice / 12 % 8 {
            0 => self.bench.ask(place, IntentKind::Start),
            1 => self.bench.ask(place, IntentKind::Stop { grace }),
            2 | 3 => self.bench.ask(place, IntentKind::Restart { grace }),
            4 => {
                let signal = [StopSignal::KILL, StopSignal::TERM][usize::from(choice / 4 % 2)];
                self.bench.ask(place, IntentKind::Kill { signal })
            }
            5 => self.bench.pass(3),
            _ => {
                self.happen();
                return;
            }
        };
        self.obey(commands);
    }

    /// Lets everything happen that was begun, and time pass until all have their answers.
    fn settle(&mut self) -> bool {
        for _ in 0..50 {
            while self.happen() {}
            if self.answered().len() == usize::try_from(self.bench.seq).unwrap() {
                return true;
            }
            let commands = self.bench.pass(40);
            self.obey(commands);
        }
        false
    }

    fn answered(&self) -> BTreeMap<i64, usize> {
        let mut answers = BTreeMap::new();
        for (seq, _) in &self.bench.outcomes {
            *answers.entry(*seq).or_default() += 1;
        }
        answers
    }
}

proptest! {
    #[test]
    fn every_wish_is_answered_once(deaf: bool, choices in prop::collection::vec(any::<u8>(), 1..40)) {
        let mut world = World::new(deaf);
        for choice in &choices {
            world.step(*choice);
        }
        prop_assert!(world.settle(), "unanswered: {:?} of {}", world.answered(), world.bench.seq);
        prop_assert!(world.answered().values().all(|times| *times == 1), "{:?}", world.answered());
        let commands = world.bench.ask(None, IntentKind::Remove { grace: Some(Seconds(0)) });
        world.obey(commands);
        prop_assert!(world.settle() && world.removed);
        prop_assert!(world.lives.iter().all(|lives| !lives));
    }
}
