//! What the clients asked and what they were told, to hold the conversations against.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::random::Random;

/// All that happened so far.
#[derive(Default)]
pub(super) struct History {
    asked: BTreeMap<String, Asked>,
    conversations: Vec<String>,
    /// Those that were asked something since the last death.
    touched: BTreeSet<String>,
}

struct Asked {
    /// Where; unknown while a conversation that is to be made has not been heard of.
    conversation: Option<String>,
    answered: bool,
}

impl History {
    /// A question that nobody asked before. In the order of their letters, a client's questions are as it asked them.
    pub(super) fn ask(&mut self, client: usize, conversation: Option<&str>) -> String {
        let question = format!("q{client}x{:06} and so on", self.asked.len());
        self.touched.extend(conversation.map(str::to_owned));
        let asked = Asked { conversation: conversation.map(str::to_owned), answered: false };
        self.asked.insert(question.clone(), asked);
        question
    }

    /// A client saw an answer's end.
    pub(super) fn answered_in(&mut self, question: &str, conversation: &str) {
        let known = Asked { conversation: Some(conversation.to_owned()), answered: true };
        self.asked.insert(question.to_owned(), known);
        self.note(conversation.to_owned());
    }

    fn note(&mut self, conversation: String) {
        if !self.conversations.contains(&conversation) {
            self.touched.insert(conversation.clone());
            self.conversations.push(conversation);
        }
    }

    /// The conversations to look at after a death, those among them that nobody has heard of.
    pub(super) fn end_round(&mut self, listed: impl Iterator<Item = String>) -> BTreeSet<String> {
        listed.for_each(|id| self.note(id));
        std::mem::take(&mut self.touched)
    }

    pub(super) fn some_conversation(&self, random: &mut Random) -> Option<String> {
        let count = self.conversations.len() as u64;
        (count > 0).then(|| self.conversations[random.below(count) as usize].clone())
    }

    /// The questions whose answers' ends were seen.
    pub(super) fn answered(&self) -> Vec<&String> {
        self.asked.iter().filter(|(_, asked)| asked.answered).map(|(question, _)| question).collect()
    }

    pub(super) fn some_answered(&self, random: &mut Random) -> Option<(String, String)> {
        let answered = self.answered();
        let count = answered.len() as u64;
        let question = (count > 0).then(|| answered[random.below(count) as usize])?;
        Some((question.clone(), self.asked[question].conversation.clone()?))
    }

    /// Holds a conversation's items against what happened; the questions that it has.
    pub(super) fn check(&self, conversation: &str, items: &[Value]) -> Vec<String> {
        assert!(!items.is_empty(), "{conversation} was made without its first turn");
        let mut questions = Vec::new();
        for turn in items.chunks(2) {
            let [question, answer] = turn else { panic!("half a turn in {conversation}: {turn:?}") };
            assert_eq!((text(question, "user"), "completed"), (text(answer, "assistant"), status(answer)));
            questions.push(text(question, "user").to_owned());
        }
        let mut last = BTreeMap::new();
        for question in &questions {
            let asked = self.asked.get(question).unwrap_or_else(|| panic!("nobody asked {question}"));
            let here = asked.conversation.as_deref().is_none_or(|id| id == conversation);
            assert!(here, "{question} is in {conversation}");
            let earlier = last.insert(&question[..2], question);
            assert!(earlier.is_none_or(|earlier| earlier < question), "{question} after {earlier:?}");
        }
        for (question, asked) in &self.asked {
            if asked.answered && asked.conversation.as_deref() == Some(conversation) {
                assert!(questions.contains(question), "an answered question is lost: {question}");
            }
        }
        questions
    }
}

/// A message's text, if its role is `role`.
fn text<'a>(item: &'a Value, role: &str) -> &'a str {
    assert_eq!((&item["type"], &item["role"]), (&"message".into(), &role.into()), "{item}");
    item["content"][0]["text"].as_str().unwrap()
}

fn status(item: &Value) -> &str {
    item["status"].as_str().unwrap()
}
