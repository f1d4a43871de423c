//! Pages of lists: how far, from where, in which order.

use crate::Error;

/// Most elements a page may have; a larger wish is served with this many.
pub const MAX_LIMIT: u32 = 100;
/// Elements of a page whose size was not asked for.
pub const DEFAULT_LIMIT: u32 = 20;

/// The direction of a list, by creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    #[default]
    Desc,
}

impl Order {
    /// What stands for this direction.
    pub fn pick<T>(self, ascending: T, descending: T) -> T {
        match self {
            Self::Asc => ascending,
            Self::Desc => descending,
        }
    }
}

/// Which page is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Elements at most, 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// The id of the last element already seen.
    pub after: Option<String>,
    /// The direction.
    pub order: Order,
}

impl PageRequest {
    /// How many elements are to be looked up, to know whether there are more: one more than the page has. For
    /// [`Page::from_lookahead`].
    pub fn lookahead(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Reads a page request as it came in a query string.
    ///
    /// # Errors
    /// `invalid_parameter` with `limit` or `order` as the field; `invalid_cursor`.
    pub fn parse(limit: Option<&str>, after: Option<String>, order: Option<&str>) -> Result<Self, Error> {
        let limit = match limit {
            None => DEFAULT_LIMIT,
            Some(text) => match text.parse::<i64>() {
                Ok(n) if n >= 1 => u32::try_from(n).unwrap_or(MAX_LIMIT).min(MAX_LIMIT),
                _ => {
                    return Err(Error::invalid_parameter("limit", "limit must be a whole number of at least 1."));
                }
            },
        };
        if after.as_ref().is_some_and(|after| after.contains(char::is_control)) {
            return Err(Error::invalid("invalid_cursor", "after is no id.").param("after"));
        }
        let order = match order {
            None | Some("desc") => Order::Desc,
            Some("asc") => Order::Asc,
            Some(_) => return Err(Error::invalid_parameter("order", "order must be asc or desc.")),
        };
        Ok(Self { limit, after, order })
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The elements, in the order asked for.
    pub items: Vec<T>,
    /// Whether there are more after these.
    pub has_more: bool,
    /// How many there are in all, where counting is cheap.
    pub total: Option<u64>,
}

impl<T> Page<T> {
    /// A page from rows of which one more than `limit` was asked for, to learn whether there are more.
    pub fn from_lookahead(mut items: Vec<T>, limit: u32) -> Self {
        let has_more = items.len() > limit as usize;
        items.truncate(limit as usize);
        Self { items, has_more, total: None }
    }

    /// The same page of other things.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        let Self { items, has_more, total } = self;
        Page { items: items.into_iter().map(each).collect(), has_more, total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_capped_and_nonsense_is_refused() {
        assert_eq!(PageRequest::parse(None, None, None).unwrap().limit, DEFAULT_LIMIT);
        for many in ["101", "100000", "4294967296", "9223372036854775807"] {
            assert_eq!(PageRequest::parse(Some(many), None, Some("asc")).unwrap().limit, MAX_LIMIT);
        }
        for bad in ["0", "-1", "ten", "", "99999999999999999999"] {
            assert_eq!(PageRequest::parse(Some(bad), None, None).unwrap_err().param_name(), Some("limit"));
        }
        assert_eq!(PageRequest::parse(None, None, Some("up")).unwrap_err().param_name(), Some("order"));
    }
}
