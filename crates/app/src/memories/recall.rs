//! Which memories are told: those for always, then those that have to do with the question, as many as the user allows.

use domain::{
    ids::ProjectId,
    memory::{Meaning, Memory, MemoryKind},
};
use wire::settings::MemoryConfig;

use super::{
    Memories, lexical,
    similarity::{cosine, scale},
};
use crate::prompt::people::Person;

/// Longest part of a question that is compared, in characters.
const LONGEST_QUESTION: usize = 2_000;
/// Most memories whose meaning is found out on the way, when they were kept while no embedder was there. The rest follow
/// with later questions.
const CATCH_UP: usize = 32;

impl Memories {
    /// The texts of what is to be told for this question, most important first.
    pub(crate) async fn recall(&self, person: &Person, project: Option<&ProjectId>, question: &str) -> Vec<String> {
        let config = &person.settings.memory_config;
        let wanted = |memory: &&Memory| memory.project_id.is_none() || memory.project_id.as_ref() == project;
        let memories: Vec<&Memory> = person.memories.iter().filter(wanted).collect();
        if !config.enabled || memories.is_empty() {
            return Vec::new();
        }
        let similarities = self.similarities(person, &memories, question, config).await;
        choose(config, &memories, &similarities).into_iter().map(|memory| memory.content.clone()).collect()
    }

    /// How much each memory has to do with the question, on the common scale.
    async fn similarities(
        &self,
        person: &Person,
        memories: &[&Memory],
        question: &str,
        config: &MemoryConfig,
    ) -> Vec<f64> {
        let compared = |memory: &&Memory| matters(config, memory);
        if question.trim().is_empty() || !memories.iter().any(compared) {
            return vec![0.0; memories.len()];
        }
        let question: String = question.chars().take(LONGEST_QUESTION).collect();
        if let Some(found) = self.by_meaning(person, memories, &question).await {
            return found;
        }
        let texts: Vec<&str> = memories.iter().map(|memory| memory.content.as_str()).collect();
        let found = lexical::similarities(&question, &texts);
        found.into_iter().map(|raw| scale(raw, lexical::BORDER)).collect()
    }

    /// By what the texts mean; `None` while no embedder is there. Memories whose meaning is not known yet are compared
    /// by their words.
    async fn by_meaning(&self, person: &Person, memories: &[&Memory], question: &str) -> Option<Vec<f64>> {
        let embedder = self.embedder.as_ref()?;
        let name = embedder.name();
        let known = |memory: &Memory| memory.meaning.as_ref().filter(|meaning| meaning.embedder == name).cloned();
        let mut meanings: Vec<Option<Meaning>> = memories.iter().map(|memory| known(memory)).collect();
        let missing: Vec<usize> = (0..memories.len()).filter(|n| meanings[*n].is_none()).take(CATCH_UP).collect();
        let mut texts = vec![question.to_owned()];
        texts.extend(missing.iter().map(|n| memories[*n].content.clone()));
        let mut vectors = embedder.embed(texts).await?.into_iter();
        let question_vector = vectors.next()?;
        for (n, vector) in missing.iter().zip(vectors) {
            meanings[*n] = Some(Meaning { embedder: name.to_owned(), vector });
        }
        let caught_up: Vec<(&Memory, Meaning)> =
            missing.iter().filter_map(|n| Some((memories[*n], meanings[*n].clone()?))).collect();
        if !caught_up.is_empty()
            && let Err(error) = self.put_meanings(&person.id, &caught_up).await
        {
            // The next question tries again.
            tracing::warn!(%error, "What memories mean could not be noted");
        }
        let by_words = |n: usize| {
            let found = lexical::similarities(question, &[&memories[n].content]);
            scale(found.first().copied().unwrap_or(0.0), lexical::BORDER)
        };
        let of = |(n, meaning): (usize, &Option<Meaning>)| match meaning {
            Some(meaning) => scale(cosine(&meaning.vector, &question_vector), embedder.border()),
            None => by_words(n),
        };
        Some(meanings.iter().enumerate().map(of).collect())
    }
}

/// Whether a memory is told by what it has to do with the question.
fn matters(config: &MemoryConfig, memory: &Memory) -> bool {
    match memory.kind {
        MemoryKind::Core => false,
        MemoryKind::Fact => config.inject_semantic,
        MemoryKind::Episode => config.inject_episodic,
    }
}

/// Which memories are told. `similarities` has a value for each.
fn choose<'a>(config: &MemoryConfig, memories: &[&'a Memory], similarities: &[f64]) -> Vec<&'a Memory> {
    let mut ranked: Vec<(f64, &Memory)> = Vec::new();
    for (memory, similarity) in memories.iter().zip(similarities) {
        match memory.kind {
            // Above whatever only has to do with the question.
            MemoryKind::Core if config.inject_user_core => ranked.push((2.0, memory)),
            _ if matters(config, memory) && *similarity >= config.min_similarity => ranked.push((*similarity, memory)),
            _ => {}
        }
    }
    // A stable order: of equal ones the newest first, as they came.
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut room = [config.max_user_items, config.max_project_items, config.max_episodic_items];
    let mut take = |memory: &Memory| {
        let group = match (memory.kind, &memory.project_id) {
            (MemoryKind::Episode, _) => 2,
            (_, Some(_)) => 1,
            (_, None) => 0,
        };
        room[group] -= 1;
        room[group] >= 0
    };
    ranked.into_iter().map(|(_, memory)| memory).filter(|memory| take(memory)).collect()
}

#[cfg(test)]
mod tests {
    use domain::{
        Clock, Timestamp,
        ids::{MemoryId, UserId},
        memory::MemorySource,
    };

    use super::*;

    fn memory(content: &str, kind: MemoryKind, project: Option<&ProjectId>) -> Memory {
        Memory {
            id: MemoryId::new(&Clock::System),
            user_id: UserId::new(&Clock::System),
            project_id: project.cloned(),
            kind,
            content: content.to_owned(),
            source: MemorySource::User,
            meaning: None,
            created_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
        }
    }

    fn chosen(config: &MemoryConfig, memories: &[Memory], similarities: &[f64]) -> Vec<String> {
        let memories: Vec<&Memory> = memories.iter().collect();
        choose(config, &memories, similarities).into_iter().map(|memory| memory.content.clone()).collect()
    }

    #[test]
    fn the_core_comes_first_and_facts_by_how_much_they_matter() {
        use MemoryKind::{Core, Episode, Fact};
        let project = ProjectId::new(&Clock::System);
        let memories = [
            memory("far", Fact, None),
            memory("near", Fact, None),
            memory("core", Core, None),
            memory("nearer", Fact, Some(&project)),
            memory("past", Episode, None),
        ];
        let similarities = [0.74, 0.75, 0.0, 0.9, 1.0];
        let config = MemoryConfig::default();
        assert_eq!(chosen(&config, &memories, &similarities), ["core", "nearer", "near"]);
        let all = MemoryConfig { inject_episodic: true, min_similarity: 0.0, ..config.clone() };
        assert_eq!(chosen(&all, &memories, &similarities), ["core", "past", "nearer", "near", "far"]);
        let no_core = MemoryConfig { inject_user_core: false, ..config.clone() };
        assert_eq!(chosen(&no_core, &memories, &similarities), ["nearer", "near"]);
        let no_facts = MemoryConfig { inject_semantic: false, ..config };
        assert_eq!(chosen(&no_facts, &memories, &similarities), ["core"]);
    }

    #[test]
    fn each_group_has_its_room() {
        let project = ProjectId::new(&Clock::System);
        let of =
            |kind, project: Option<&ProjectId>| (0..9).map(move |_| memory("x", kind, project)).collect::<Vec<_>>();
        let memories =
            [of(MemoryKind::Fact, None), of(MemoryKind::Fact, Some(&project)), of(MemoryKind::Episode, None)].concat();
        let config = MemoryConfig {
            inject_episodic: true,
            max_user_items: 0,
            max_project_items: 4,
            max_episodic_items: 2,
            ..MemoryConfig::default()
        };
        assert_eq!(chosen(&config, &memories, &[1.0; 27]).len(), 6);
    }
}
