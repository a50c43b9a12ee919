//! Parents before children. The graph may come from a hostile dump, so the search for circles is bounded.

use std::collections::{BTreeMap, BTreeSet};

/// Steps that the search for circles may take. No schema comes near; a hostile one could keep a processor busy for hours.
const STEPS: usize = 1_000_000;

/// Names in an order in which parents stand before children.
#[derive(Debug)]
pub struct Order<'a, T> {
    /// Each name stands in the first group after all its parents.
    pub groups: Vec<Vec<&'a T>>,
    /// Names that wait for each other: each for the next, and the last for the first. Such a circle is broken at its
    /// first name. If the search took too many steps, all names that are left stand in the last group.
    pub circles: Vec<Vec<&'a T>>,
}

/// Orders names by the pairs of a child and its parent. Parents that are not among the names are not waited for.
pub fn order<'a, T: Ord>(
    names: impl IntoIterator<Item = &'a T>,
    pairs: impl IntoIterator<Item = (&'a T, &'a T)>,
) -> Order<'a, T> {
    let mut parents: BTreeMap<&T, BTreeSet<&T>> =
        names.into_iter().map(|name| (name, BTreeSet::new())).collect();
    let mut children: BTreeMap<&T, Vec<&T>> = BTreeMap::new();
    for (child, parent) in pairs {
        if parents.contains_key(parent)
            && let Some(waits_for) = parents.get_mut(child)
        {
            waits_for.insert(parent);
            children.entry(parent).or_default().push(child);
        }
    }
    let mut order = Order { groups: Vec::new(), circles: Vec::new() };
    let mut steps_left = STEPS;
    let mut ready: BTreeSet<&T> =
        parents.iter().filter(|(_, waits_for)| waits_for.is_empty()).map(|(name, _)| *name).collect();
    while !parents.is_empty() {
        if ready.is_empty() {
            let circle = circle(&parents, &mut steps_left);
            if steps_left == 0 {
                order.groups.push(parents.into_keys().collect());
                break;
            }
            ready.extend(circle.iter().min());
            order.circles.push(circle);
        }
        let mut next = BTreeSet::new();
        for name in &ready {
            parents.remove(name);
        }
        for name in &ready {
            for child in children.get(name).into_iter().flatten() {
                if let Some(waits_for) = parents.get_mut(child) {
                    waits_for.remove(name);
                    if waits_for.is_empty() {
                        next.insert(*child);
                    }
                }
            }
        }
        order.groups.push(std::mem::replace(&mut ready, next).into_iter().collect());
    }
    order
}

/// Follows parents until a name comes up again: every name here has a parent here.
fn circle<'a, T: Ord>(waiting: &BTreeMap<&'a T, BTreeSet<&'a T>>, steps_left: &mut usize) -> Vec<&'a T> {
    let mut seen = BTreeMap::new();
    let mut path: Vec<&T> = Vec::new();
    let mut current = waiting.keys().next().copied();
    while let Some(name) = current {
        if let Some(at) = seen.insert(name, path.len()) {
            path.drain(..at);
            break;
        }
        path.push(name);
        *steps_left = steps_left.saturating_sub(1);
        current = waiting.get(name).and_then(|parents| parents.first().copied());
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pairs that refer to each other, and each to the next pair: the search for a circle walks to the last of them.
    #[test]
    fn a_graph_made_to_be_slow_is_given_up() {
        let name = |kind: char, pair: usize| format!("{kind}{pair:05}");
        let mut pairs = Vec::new();
        for pair in 0..5000 {
            pairs.push((name('c', pair), name('d', pair)));
            pairs.push((name('d', pair), name('c', pair)));
            pairs.push((name('c', pair), name('c', pair + 1)));
        }
        let names: BTreeSet<&String> = pairs.iter().map(|(child, _)| child).collect();
        let order = order(names.iter().copied(), pairs.iter().map(|(child, parent)| (child, parent)));
        assert_eq!(order.groups.iter().map(Vec::len).sum::<usize>(), names.len());
        assert!(!order.circles.is_empty());
    }

    proptest! {
        #[test]
        fn every_name_stands_once_and_behind_its_parents_unless_in_a_circle(
            pairs in prop::collection::vec((0u8..12, 0u8..12), 0..40),
        ) {
            let names: Vec<u8> = (0..12).collect();
            let order = order(&names, pairs.iter().map(|(child, parent)| (child, parent)));
            let place = |name: &u8| order.groups.iter().position(|group| group.contains(&name)).unwrap();
            prop_assert_eq!(order.groups.iter().map(Vec::len).sum::<usize>(), 12);
            if order.circles.is_empty() {
                for (child, parent) in &pairs {
                    prop_assert!(place(child) > place(parent));
                }
            }
        }
    }
}
