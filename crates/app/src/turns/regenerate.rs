//! Asking again: another answer to the same question, as a new course. The former one stays as a branch. Nothing changes
//! unless the model answers: the fork and the answer are kept together.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{
    Error, Principal, Result,
    conversation::{Branch, Conversation},
    ids::{ConversationId, ItemId, UserId},
    item::{Item, Making, NewItem},
    page::Order,
};
use serde_json::{Value, json, value::RawValue};
use store::ItemPage;
use wire::openai::{chat::ChatRequest, items};

use super::{
    Ask, Destination, Messages, Plan, PromptMessage, Reply, ReplyEvents, Turn, Turns,
    keep::Kept,
    recent::{Recent, recent},
    trim,
};
use crate::{
    chat::{Notes, body::Fields},
    conversations::{
        self,
        items::{item_not_found, missing, read_id, wrong_role},
    },
    prompt::{Hints, MemoryAccess},
};

/// How to ask again; what is not given is as before.
#[derive(Clone, Debug, Default)]
pub struct Again {
    /// Other words for the question: a text, or parts.
    pub content: Option<Box<RawValue>>,
    /// The model; else the one that answered before, the one that the user prefers, or the first there is.
    pub model: Option<String>,
    /// Randomness.
    pub temperature: Option<f64>,
    /// Tokens at most.
    pub max_tokens: Option<i64>,
    /// Whether the answer comes in chunks as it is made.
    pub stream: bool,
    /// What may be done with the user's memories.
    pub memory: MemoryAccess,
}

/// What asking again made.
#[derive(Clone, Debug)]
pub struct Regenerated {
    /// The branch on which the new answer is.
    pub branch: String,
    /// The branch that keeps the former course, if there was one.
    pub backup: Option<String>,
    /// The branch that was made, if one was.
    pub new_branch: Option<Branch>,
    /// The question.
    pub question: ItemId,
    /// The question as an item, where it is new.
    pub edited: Option<Item>,
    /// The answer; none where the model was not to be asked.
    pub item: Option<Item>,
    /// What the answer took, as JSON.
    pub usage: Option<String>,
}

/// What comes of asking again.
pub enum Outcome {
    /// The answer is there and kept.
    Kept(Box<Regenerated>),
    /// The answer as it is made.
    Stream(ReplyEvents),
}

/// Shows what was made, as whole events before a stream's end.
pub type Show = Box<dyn FnOnce(&Regenerated) -> Result<Bytes> + Send>;

/// A question that is asked again.
struct Asked {
    owner: UserId,
    conversation: Conversation,
    /// What was said before it.
    said: Vec<Item>,
    /// Whether that is all that was said before it.
    is_all: bool,
    question: Item,
    /// The question as an item to be kept, where it is in other words.
    new: Vec<NewItem>,
    /// Where the answer goes.
    destination: Destination,
    /// The model that answered before.
    model: Option<String>,
}

impl Asked {
    fn into_turn(self) -> Turn {
        let Self { owner, conversation, new: question, destination, .. } = self;
        Turn { owner, conversation: conversation.id, destination, question, title: None }
    }
}

impl Turns {
    /// Asks for another answer to the question that an answer belongs to, or to a question itself, as it was or in other
    /// words.
    ///
    /// # Errors
    /// `invalid_id`, `conversation_not_found`, `item_not_found`, `invalid_item_role` for what is neither; 400 that names the field;
    /// `branch_limit_reached`; what [`Turns::answer`] refuses.
    pub async fn regenerate(
        &self,
        caller: &Principal,
        id: &str,
        item: &str,
        again: &Again,
        notes: impl Notes,
        show: Show,
    ) -> Result<Outcome> {
        let mut asked = self.question_of(caller, id, item, again.model.as_deref()).await?;
        if let Some(content) = &again.content {
            if asked.question.id.as_str() != item {
                return Err(wrong_role("Only what the user said can be edited and asked again."));
            }
            self.put_in_other_words(&mut asked, content)?;
        }
        self.ask_again(asked, again, notes, show).await
    }

    /// Gives the question other words; it is then another item, on a course of its own.
    fn put_in_other_words(&self, asked: &mut Asked, content: &RawValue) -> Result<()> {
        let former = &mut asked.question;
        let (body, text) = items::with_content(&former.body, Some("user"), content, "content")?;
        let question = self.0.conversations.new_item(items::ItemIn::message("user", body, text));
        asked.destination = Destination::Anew { before: former.id.clone(), why: format!("Edited {}", former.id) };
        (former.id, former.body) = (question.id.clone(), question.body.clone());
        asked.new = vec![question];
        Ok(())
    }

    /// Begins a new course before an answer, for the client to ask the model by itself.
    ///
    /// # Errors
    /// As [`Turns::regenerate`].
    pub async fn make_room(&self, caller: &Principal, id: &str, item: &str) -> Result<Regenerated> {
        let asked = self.question_of(caller, id, item, None).await?;
        let question = asked.question.id.clone();
        if let Destination::End(history) = &asked.destination {
            let branch = history.branch().to_owned();
            let nothing =
                Regenerated { branch, backup: None, new_branch: None, question, edited: None, item: None, usage: None };
            return Ok(nothing);
        }
        let kept = self.keep(asked.into_turn(), Vec::new(), &Making::default()).await;
        let kept = kept.unwrap_or_else(|gone| Err(Error::internal(gone)))?;
        Ok(regenerated(&kept, question))
    }

    /// The question of an answer, or the item itself if it is one, with what was said before it: as much as `model` could
    /// be told, or the one that answered before.
    async fn question_of(&self, caller: &Principal, id: &str, item: &str, model: Option<&str>) -> Result<Asked> {
        let (id, item) = (ConversationId::parse(id)?, read_id(item)?);
        let owner = caller.user_id.clone();
        let mut reader = self.0.store.read().await?;
        let Some((history, item)) = reader.find_item(&owner, &id, &item).await? else {
            return Err(missing(&mut reader, &owner, &id).await?);
        };
        let role = item.head.role.as_deref().filter(|_| item.head.kind == "message");
        if !matches!(role, Some("user" | "assistant")) {
            return Err(wrong_role("Only an answer of the assistant, or what the user said, can be regenerated."));
        }
        let conversation = reader.conversation(&owner, &id).await?.ok_or_else(conversations::not_found)?;
        let model = model.or(item.making.model.as_deref());
        let window = model.and_then(|model| self.0.models.resolve(model).ok()?.window()).unwrap_or(trim::USUAL_WINDOW);
        let Recent { items: mut said, is_all } = recent(&mut reader, &history, Some(item.sequence + 1), window).await?;
        let is_question = |item: &Item| item.head.role.as_deref() == Some("user") && item.head.kind == "message";
        let no_question = || wrong_role("The answer has no question that could be asked again.");
        let at = said.iter().rposition(is_question).ok_or_else(no_question)?;
        let mut behind = said.split_off(at + 1);
        let question = said.pop().ok_or_else(no_question)?;
        // What the new answer replaces: the first item behind the question.
        let replaced = if behind.is_empty() {
            let page = ItemPage { limit: 1, bytes: 0, after: Some(item.sequence), order: Order::Asc };
            reader.items(&history, page).await?.items.pop()
        } else {
            Some(behind.swap_remove(0))
        };
        let (destination, model) = match replaced {
            Some(Item { id, making, .. }) => {
                (Destination::Anew { why: format!("Before {id} was regenerated"), before: id }, making.model)
            }
            None => (Destination::End(history), None),
        };
        Ok(Asked { owner, conversation, said, is_all, question, new: Vec::new(), destination, model })
    }

    async fn ask_again(&self, asked: Asked, again: &Again, notes: impl Notes, show: Show) -> Result<Outcome> {
        let mut told = Messages::default();
        for item in asked.said.iter().chain([&asked.question]) {
            told.item(item);
        }
        let mut question = Messages::default();
        question.item(&asked.question);
        let question = question.finish().into_iter().map(PromptMessage::into_raw).collect::<Result<Vec<_>>>()?;
        let model = self.model(again.model.as_ref().or(asked.model.as_ref()), &asked.owner).await?;
        let mut wish: BTreeMap<&str, Value> = [("model", json!(model)), ("messages", json!([]))].into();
        let options = [
            ("temperature", again.temperature.map(Value::from)),
            ("max_tokens", again.max_tokens.map(Value::from)),
            ("stream", again.stream.then_some(Value::Bool(true))),
        ];
        wish.extend(options.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let wish = serde_json::to_vec(&wish).map_err(Error::internal)?;
        let mut request: ChatRequest = wire::json::parse(&wish)?;
        request.messages = question.into_iter().map(|told| told.message).collect();
        request.check()?;
        let ask = Ask {
            fields: Fields::of_body(&wish)?,
            request,
            instructions: Vec::new(),
            said: told.finish(),
            is_all: asked.is_all,
            question: 1,
            hints: Hints { memory: again.memory, ..Hints::default() },
        };
        let (owner, question, about) = (asked.owner.clone(), asked.question.id.clone(), asked.question.id.clone());
        let report: super::Report = Box::new(move |kept| show(&regenerated(kept, about)));
        let conversation = Some(asked.conversation.clone());
        let plan = Plan { conversation, turn: Some(asked.into_turn()), report: Some(report) };
        let (answer, kept) = self.ask(&owner, ask, plan, notes).await?;
        match (answer.reply, kept) {
            (Reply::Stream(events), _) => Ok(Outcome::Stream(events)),
            (Reply::Whole(_), Some(kept)) => Ok(Outcome::Kept(Box::new(regenerated(&kept, question)))),
            (Reply::Whole(_), None) => Err(item_not_found()),
        }
    }

    /// The model to ask: the one that is named, else the one that the user prefers, else the first.
    async fn model(&self, named: Option<&String>, owner: &UserId) -> Result<String> {
        if let Some(named) = named {
            return Ok(named.clone());
        }
        let person = self.0.prompt.memories().people().get(owner).await?;
        let preferred = person.settings.preferences.get("selected_model").and_then(Value::as_str);
        if let Some(preferred) = preferred.filter(|id| self.0.models.resolve(id).is_ok()) {
            return Ok(preferred.to_owned());
        }
        let first = self.0.models.list().first().map(|model| model.id.to_string());
        first.ok_or_else(|| Error::not_found("model_not_found", "There is no model that could answer.").param("model"))
    }
}

/// What was made, from what was kept.
fn regenerated(kept: &Kept, question: ItemId) -> Regenerated {
    let edited = kept.items.iter().find(|item| item.id == question).cloned();
    let answers = || kept.items.iter().filter(|item| item.id != question);
    let item = answers().find(|item| item.head.kind == "message").or_else(|| answers().next_back()).cloned();
    Regenerated {
        branch: kept.branch.clone(),
        backup: kept.backup.clone(),
        new_branch: kept.new_branch.clone(),
        usage: item.as_ref().and_then(|item| item.making.usage.clone()),
        question,
        edited,
        item,
    }
}
