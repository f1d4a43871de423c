//! Branches: the courses that a conversation took.

use domain::{
    Error, Kind, Principal, Result, Timestamp,
    conversation::{Branch, MAIN},
    ids::{ConversationId, UserId},
    length::check_length,
    page::{Order, Page, PageRequest},
};
use store::{Fork, Reader, Shows, Tx};

use super::{
    Conversations, branch_name, history,
    items::{item_not_found, read_id},
};

/// Most branches of one conversation.
pub(crate) const MAX_BRANCHES: usize = 1_000;
const MAX_NAME: usize = 64;
const MAX_DESCRIPTION: usize = 512;

/// A branch that is wished for.
#[derive(Clone, Debug, Default)]
pub struct NewBranch {
    /// What it is to be called; a name is made when none is given.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The last item that it is to show; all that there are when not given.
    pub fork_from_item_id: Option<String>,
    /// The branch it is made from; the active one when not given.
    pub parent_branch: Option<String>,
}

impl Conversations {
    /// A page of a conversation's branches.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `invalid_cursor`.
    pub async fn branches(&self, caller: &Principal, id: &str, page: &PageRequest) -> Result<Page<Branch>> {
        let id = ConversationId::parse(id)?;
        let mut all = list(&mut self.store.read().await?, &caller.user_id, &id).await?;
        if page.order == Order::Desc {
            all.reverse();
        }
        let total = all.len() as u64;
        let skip = match &page.after {
            None => 0,
            Some(after) => {
                let after = branch_name(after);
                let place = all.iter().position(|branch| branch.name == after).map(|place| place + 1);
                place.ok_or_else(|| Error::invalid("invalid_cursor", "after names no branch.").param("after"))?
            }
        };
        let page = Page::from_lookahead(all.split_off(skip), page.limit);
        Ok(Page { total: Some(total), ..page })
    }

    /// One branch.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `branch_not_found`.
    pub async fn branch(&self, caller: &Principal, id: &str, name: &str) -> Result<Branch> {
        let id = ConversationId::parse(id)?;
        let mut reader = self.store.read().await?;
        find(&mut reader, &caller.user_id, &id, name).await
    }

    /// Makes a branch; what is active stays so.
    ///
    /// # Errors
    /// 400 that names the field, `invalid_id`, `conversation_not_found`, `branch_not_found`, `item_not_found`,
    /// `branch_exists`, `branch_limit_reached`.
    pub async fn create_branch(&self, caller: &Principal, id: &str, wish: NewBranch) -> Result<Branch> {
        let (owner, id, now) = (&caller.user_id, ConversationId::parse(id)?, self.clock.now());
        let name = wish.name.as_deref().map(read_name).transpose()?;
        let description = wish.description.filter(|text| !text.is_empty());
        check_length(description.as_deref().unwrap_or_default(), MAX_DESCRIPTION, "description")?;
        let mut tx = self.store.write().await?;
        tx.lock_conversation(owner, &id).await?.ok_or_else(super::not_found)?;
        let parent = wish.parent_branch.as_deref();
        let (_, parent) =
            history(&mut tx, owner, &id, parent).await.map_err(|error| name_field(error, "parent_branch"))?;
        let names = room_for_one(&mut tx, owner, &id).await?;
        let name = match name {
            Some(name) if names.contains(&name) => {
                let text = "The conversation has a branch of this name.";
                return Err(Error::new(Kind::Conflict, "branch_exists", text).param("name"));
            }
            Some(name) => name,
            None => unused("BRANCH", now, &names),
        };
        let last = match wish.fork_from_item_id.as_deref() {
            None => None,
            Some(item) => {
                let missing = || item_not_found().param("fork_from_item_id");
                let item = read_id(item).map_err(|_| missing())?;
                Some(tx.item(&parent, &item).await?.ok_or_else(missing)?)
            }
        };
        let fork = Fork {
            name: &name,
            description: description.as_deref(),
            from: last.as_ref().map(|item| &item.id),
            shows: last.as_ref().map_or(Shows::All, Shows::UpTo),
        };
        tx.fork(&parent, &fork, now).await?;
        let branch = find(&mut tx, owner, &id, &name).await?;
        tx.commit().await?;
        Ok(branch)
    }

    /// Deletes a branch, and what no other shows.
    ///
    /// # Errors
    /// `branch_protected` for `MAIN` and the active one, `invalid_id`, `conversation_not_found`, `branch_not_found`.
    pub async fn delete_branch(&self, caller: &Principal, id: &str, name: &str) -> Result<String> {
        let (owner, id) = (&caller.user_id, ConversationId::parse(id)?);
        let name = branch_name(name);
        let mut tx = self.store.write().await?;
        let conversation = tx.lock_conversation(owner, &id).await?.ok_or_else(super::not_found)?;
        if name == MAIN || name == conversation.active_branch {
            return Err(Error::invalid("branch_protected", "MAIN and the active branch cannot be deleted."));
        }
        let (_, history) = history(&mut tx, owner, &id, Some(name)).await?;
        tx.delete_branch(&history).await?;
        tx.commit().await?;
        Ok(name.to_owned())
    }

    /// Makes a branch the active one.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `branch_not_found`.
    pub async fn activate_branch(&self, caller: &Principal, id: &str, name: &str) -> Result<Branch> {
        let (owner, id) = (&caller.user_id, ConversationId::parse(id)?);
        let mut tx = self.store.write().await?;
        let conversation = tx.lock_conversation(owner, &id).await?.ok_or_else(super::not_found)?;
        let (_, history) = history(&mut tx, owner, &id, Some(name)).await?;
        if history.branch() != conversation.active_branch {
            tx.activate_branch(&history, self.clock.now()).await?;
        }
        let branch = find(&mut tx, owner, &id, history.branch()).await?;
        tx.commit().await?;
        Ok(branch)
    }
}

pub(super) async fn list(reader: &mut Reader, owner: &UserId, id: &ConversationId) -> Result<Vec<Branch>> {
    reader.branches(owner, id).await?.ok_or_else(super::not_found)
}

pub(crate) async fn find(reader: &mut Reader, owner: &UserId, id: &ConversationId, name: &str) -> Result<Branch> {
    let name = branch_name(name);
    let all = list(reader, owner, id).await?;
    all.into_iter().find(|branch| branch.name == name).ok_or_else(not_found)
}

/// The names of the branches, of which there may be one more.
pub(super) async fn room_for_one(tx: &mut Tx, owner: &UserId, id: &ConversationId) -> Result<Vec<String>> {
    let names: Vec<String> = list(tx, owner, id).await?.into_iter().map(|branch| branch.name).collect();
    if names.len() < MAX_BRANCHES {
        return Ok(names);
    }
    let text =
        format!("The conversation has {MAX_BRANCHES} branches, which is the most: delete one that is of no use.");
    Err(Error::invalid("branch_limit_reached", text))
}

/// A name that none of the branches has: what it is for, and the time.
pub(super) fn unused(begin: &str, now: Timestamp, names: &[String]) -> String {
    let first = format!("{begin}_{}", now.digits());
    let taken = |name: &String| names.contains(name);
    if !taken(&first) {
        return first;
    }
    let mut others = (2..).map(|n| format!("{first}_{n}"));
    others.find(|name| !taken(name)).unwrap_or(first)
}

pub(crate) fn read_name(name: &str) -> Result<String> {
    let is_fine = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ' ');
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME || !name.chars().all(is_fine) || name.trim() != name {
        let text = format!("A branch's name has 1 to {MAX_NAME} letters, digits and _ - . or spaces.");
        return Err(Error::invalid_parameter("name", text));
    }
    Ok(branch_name(name).to_owned())
}

fn name_field(error: Error, field: &'static str) -> Error {
    if error.code() == "branch_not_found" { error.param(field) } else { error }
}

pub(crate) fn not_found() -> Error {
    Error::not_found("branch_not_found", "The conversation has no such branch.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_anew_within_a_second() {
        let now = Timestamp::from_seconds(0);
        let first = unused("MAIN", now, &[]);
        assert_eq!(first, "MAIN_19700101000000");
        let second = unused("MAIN", now, std::slice::from_ref(&first));
        assert_eq!(second, "MAIN_19700101000000_2");
        assert_eq!(unused("MAIN", now, &[first, second]), "MAIN_19700101000000_3");
    }

    #[test]
    fn names_are_bounded() {
        for bad in ["", " a", "a/b", "a\nb", &"n".repeat(65)] {
            assert_eq!(read_name(bad).unwrap_err().param_name(), Some("name"), "{bad}");
        }
        assert_eq!(read_name("main").unwrap(), MAIN);
        assert_eq!(read_name("My idea 2.1").unwrap(), "My idea 2.1");
    }
}
