//! A value that several owners hold at once, copied by whoever changes it.
//!
//! In: a value. Out: as many handles as are wanted, which say whether they are of the same one. What
//! was found out about a value need not be found out again for another handle of it ([`crate::FoldMemo`]).
//! Never compares addresses to order things: they differ from run to run.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A handle of a shared value. Equal if the values are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// Whether two handles are of one and the same value, and not just of equal ones.
    pub fn same(a: &Shared<T>, b: &Shared<T>) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// Tells values apart that are alive at the same time.
    pub(crate) fn address(this: &Shared<T>) -> usize {
        Arc::as_ptr(&this.0) as usize
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Shared<T> {
        Shared(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A value that others hold too is copied first.
impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> FromIterator<T> for Shared<Vec<T>> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Shared<Vec<T>> {
        items.into_iter().collect::<Vec<T>>().into()
    }
}

impl<'a, T> IntoIterator for &'a Shared<Vec<T>> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_changes_it_has_a_copy() {
        let one: Shared<Vec<u32>> = (0..3).collect();
        let mut other = one.clone();
        assert!(Shared::same(&one, &other));
        other[0] = 7;
        assert!(!Shared::same(&one, &other));
        assert_eq!((one[0], other[0]), (0, 7));
        other[0] = 0;
        assert_eq!(one, other);
    }
}
