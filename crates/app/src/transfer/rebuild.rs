//! Writing a conversation that comes from elsewhere, with all of its branches.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use domain::{
    Result,
    conversation::{Conversation, MAIN},
    ids::{ConversationId, ItemId, ProjectId},
    item::{Item, NewItem},
};
use store::{Fork, History, Shows, StoreError, Tx};

use super::whole::{Course, Names, Piece, Whole};
use crate::conversations::{items::appended, not_found};

/// An item that one branch or several show.
struct Place {
    /// What it was before a branch changed it.
    piece: Arc<Piece>,
    /// The item, once it is there.
    item: Option<Item>,
}

/// How a branch comes to be.
struct Plan {
    /// The branch that it is forked from.
    from: usize,
    /// The last item that it shows of that one.
    last: Option<usize>,
    /// Those before, which it does not show.
    hidden: Vec<usize>,
    /// What it shows.
    path: Vec<usize>,
    /// How much of it is the other branch's.
    shared: usize,
}

/// Writes the conversation; what branches have in common is there once. `None` when one of the ids is taken: the transaction
/// is good for nothing any more.
pub(super) async fn write(
    tx: &mut Tx,
    whole: &Whole,
    names: Names<'_>,
    project_id: Option<ProjectId>,
) -> Result<Option<ConversationId>> {
    let id = names.conversation(whole);
    let conversation = Conversation {
        title: whole.title.clone(),
        project_id,
        referrer: whole.referrer.clone(),
        metadata: whole.metadata.clone(),
        updated_at: whole.updated_at,
        ..Conversation::new(id.clone(), names.owner.clone(), whole.created_at)
    };
    let (mut places, plans) = plan(&whole.courses);
    let mut items = Items { whole, names, used: HashSet::new() };
    let mut histories: Vec<History> = Vec::with_capacity(plans.len());
    for (number, (course, plan)) in whole.courses.iter().zip(&plans).enumerate() {
        let own = &plan.path[plan.shared..];
        let new: Vec<NewItem> = own.iter().map(|place| items.make(&places[*place].piece, number)).collect();
        let added = if number == 0 {
            let Some(added) = free(tx.insert_conversation(&conversation, new).await)? else { return Ok(None) };
            histories.push(first(tx, names, &id, &course.name, plans.len()).await?);
            added
        } else {
            let history = fork(tx, course, plan, &places, &plans, &histories).await?;
            let Some(added) = free(tx.append_to(&history, new, course.updated_at).await)? else { return Ok(None) };
            histories.push(history);
            appended(added)?
        };
        for (place, item) in own.iter().zip(added) {
            places[*place].item = Some(item);
        }
    }
    change(tx, &whole.courses, &places, &plans, &histories).await?;
    for Place { piece, item } in &places {
        if let (Some(rating), Some(item)) = (&piece.rating, item) {
            tx.rate_item(names.owner, &id, &item.id, Some(rating)).await?;
        }
    }
    if let Some(active) = whole.courses.iter().position(|course| course.is_active).filter(|_| plans.len() > 1) {
        tx.activate_branch(&histories[active], whole.updated_at).await?;
    }
    tx.update_conversation(&conversation).await?;
    Ok(Some(id))
}

/// What was written, unless one of its ids is taken.
fn free<T>(written: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match written {
        Err(StoreError::Taken { .. }) => Ok(None),
        written => written.map(Some),
    }
}

/// The history of the first branch, by the name that it is to have.
async fn first(tx: &mut Tx, names: Names<'_>, id: &ConversationId, name: &str, branches: usize) -> Result<History> {
    let history = async |tx: &mut Tx, name: &str| {
        let found = tx.history(names.owner, id, Some(name)).await?;
        found.and_then(|(_, history)| history).ok_or_else(not_found)
    };
    let main = history(tx, MAIN).await?;
    if name == MAIN || branches == 1 {
        return Ok(main);
    }
    tx.rename_main(&main, name).await?;
    history(tx, name).await
}

/// Forks a branch, which shows nothing of its own yet.
async fn fork(
    tx: &mut Tx,
    course: &Course,
    plan: &Plan,
    places: &[Place],
    plans: &[Plan],
    histories: &[History],
) -> Result<History> {
    let item = |place: usize| places[place].item.as_ref();
    let beginning = plans[plan.from].path.first().copied().and_then(item);
    let shows = match (plan.last.and_then(item), beginning) {
        (Some(last), _) => Shows::UpTo(last),
        (None, Some(beginning)) => Shows::Before(beginning),
        (None, None) => Shows::All,
    };
    let fork = Fork {
        name: &course.name,
        description: course.description.as_deref(),
        from: course.forked_from.as_ref(),
        shows,
    };
    let history = tx.fork(&histories[plan.from], &fork, course.created_at).await?;
    for item in plan.hidden.iter().filter_map(|place| item(*place)) {
        tx.hide_item(&history, &item.id, course.created_at).await?;
    }
    Ok(history)
}

/// The items, and how each branch comes to show its own.
fn plan(courses: &[Course]) -> (Vec<Place>, Vec<Plan>) {
    let mut places: Vec<Place> = Vec::new();
    let mut plans: Vec<Plan> = Vec::with_capacity(courses.len());
    let mut known: HashSet<&str> = HashSet::new();
    for (number, course) in courses.iter().enumerate() {
        let earlier = &courses[..number];
        let parent = course.parent.and_then(|from| Some((from, shared(course, earlier.get(from)?))));
        // The branch it came from may be gone, or show less than it did then: another will do as well.
        let is_all = |(_, shared): &(usize, Vec<usize>)| {
            course.items.get(shared.len()).is_none_or(|next| !known.contains(next.source.as_str()))
        };
        let (from, shared) = parent.filter(is_all).unwrap_or_else(|| {
            let any = earlier.iter().map(|other| shared(course, other)).enumerate();
            any.max_by_key(|(_, shared)| shared.len()).unwrap_or_default()
        });
        known.extend(course.items.iter().map(|piece| piece.source.as_str()));
        let before = plans.get(from).map_or(&[][..], |plan| &plan.path);
        let seen = &before[..shared.last().map_or(0, |last| last + 1)];
        let hidden = seen.iter().enumerate().filter(|(at, _)| shared.binary_search(at).is_err());
        let hidden = hidden.map(|(_, place)| *place).collect();
        let mut path: Vec<usize> = shared.iter().map(|at| before[*at]).collect();
        for (place, piece) in path.iter().zip(&course.items) {
            let place = &mut places[*place];
            if place.piece.edited_at.is_some() && piece.edited_at.is_none() {
                place.piece = Arc::clone(piece);
            }
        }
        let shared = path.len();
        let last = path.last().copied();
        for piece in &course.items[shared..] {
            path.push(places.len());
            places.push(Place { piece: Arc::clone(piece), item: None });
        }
        plans.push(Plan { from, last, hidden, path, shared });
    }
    (places, plans)
}

/// What a branch shows first that another shows, too: where that shows it.
fn shared(course: &Course, other: &Course) -> Vec<usize> {
    let there: HashMap<&str, usize> =
        other.items.iter().enumerate().map(|(at, piece)| (piece.source.as_str(), at)).collect();
    let mut next = 0;
    let places = course.items.iter().map_while(|piece| {
        let at = there.get(piece.source.as_str()).copied().filter(|at| *at >= next)?;
        next = at + 1;
        Some(at)
    });
    places.collect()
}

/// Makes items of their pieces, no two with one id.
struct Items<'a> {
    whole: &'a Whole,
    names: Names<'a>,
    used: HashSet<ItemId>,
}

impl Items<'_> {
    fn make(&mut self, piece: &Piece, branch: usize) -> NewItem {
        let mut id = self.names.item(self.whole, piece, None);
        if !self.used.insert(id.clone()) {
            // Another branch shows it behind other items: there it is another one.
            id = self.names.item(self.whole, piece, Some(branch));
            self.used.insert(id.clone());
        }
        NewItem {
            id,
            head: piece.head.clone(),
            body: piece.body.clone(),
            text: piece.text.clone(),
            making: piece.making.clone(),
            created_at: piece.created_at,
            ended_at: piece.ended_at,
        }
    }
}

/// Changes what branches show of items that others show otherwise. Last of all: a fork shows what was changed before it.
async fn change(
    tx: &mut Tx,
    courses: &[Course],
    places: &[Place],
    plans: &[Plan],
    histories: &[History],
) -> Result<()> {
    for ((course, plan), history) in courses.iter().zip(plans).zip(histories) {
        for (piece, place) in course.items.iter().zip(&plan.path) {
            let Place { piece: before, item: Some(item) } = &places[*place] else { continue };
            if Arc::ptr_eq(piece, before) || (piece.body == before.body && piece.edited_at == before.edited_at) {
                continue;
            }
            let text = [before, piece].map(|piece| piece.text.as_deref().unwrap_or_default()).join("\n");
            let at = piece.edited_at.unwrap_or(course.updated_at);
            tx.change_item(history, &item.id, &piece.body, &text, at).await?;
        }
    }
    Ok(())
}
