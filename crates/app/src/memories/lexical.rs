//! Comparison by words, for when no embedder is there: two texts have to do with each other when they share words that
//! say something. It knows no synonyms.

use std::collections::{HashMap, HashSet};

/// The value from which on two texts have to do with each other: about one rare word in common.
pub(super) const BORDER: f64 = 0.2;
/// Most words of a question that count.
const MOST_WORDS: usize = 200;

/// Words that say nothing about what a text is about.
const EMPTY: &[&str] = &[
    "about", "all", "also", "and", "any", "are", "but", "can", "could", "did", "does", "for", "from", "get", "give",
    "had", "has", "have", "her", "him", "his", "how", "into", "its", "just", "like", "make", "may", "more", "most",
    "much", "need", "not", "now", "one", "our", "out", "please", "remember", "she", "should", "some", "such", "tell",
    "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "use", "user", "using", "very",
    "want", "was", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
];

/// How much each text has to do with the question, 0 to 1: the share of the shorter one's words, by their weight, that
/// the other has. A word weighs more the fewer texts have it.
pub(super) fn similarities(question: &str, texts: &[&str]) -> Vec<f64> {
    let question: HashSet<String> = words(question).take(MOST_WORDS).collect();
    let texts: Vec<HashSet<String>> = texts.iter().map(|text| words(text).collect()).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in texts.iter().flatten() {
        *counts.entry(word).or_default() += 1;
    }
    let all = texts.len() as f64;
    let weigh = |word: &String| {
        let having = counts.get(&**word).copied().unwrap_or(0) as f64;
        (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
    };
    let of_question: f64 = question.iter().map(weigh).sum();
    let of = |text: &HashSet<String>| {
        let shared: f64 = text.intersection(&question).map(weigh).sum();
        let of_text: f64 = text.iter().map(weigh).sum();
        let shorter = of_text.min(of_question);
        if shorter > 0.0 { shared / shorter } else { 0.0 }
    };
    texts.iter().map(of).collect()
}

/// The words that say something, in their plainest form. English plurals lose their `s`; in scripts without spaces each
/// letter is a word.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if word.chars().any(|c| ('\u{3040}'..='\u{9fff}').contains(&c)) {
            found.extend(word.chars().map(String::from));
        } else if word.chars().count() > 2 && !EMPTY.contains(&word) {
            let stem = word.strip_suffix('s').filter(|stem| stem.len() > 2 && !stem.ends_with('s'));
            found.push(stem.unwrap_or(word).to_owned());
        }
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_words_that_say_something_count() {
        let texts =
            ["My dog is called Rex", "I work as a baker", "I am allergic to nuts", "\u{72ac}\u{304c}\u{597d}\u{304d}"];
        let ranks = |question: &str| -> Vec<usize> {
            let found = similarities(question, &texts);
            (0..texts.len()).filter(|n| found[*n] >= BORDER).collect()
        };
        assert_eq!(ranks("What should I feed my dogs?"), [0]);
        assert_eq!(ranks("Is this cake fine for somebody with a NUT in the kitchen?"), [2]);
        assert_eq!(ranks("\u{72ac}\u{306e}\u{540d}\u{524d}"), [3]);
        assert_eq!(ranks("What is the capital of France?"), [] as [usize; 0]);
        assert_eq!(ranks("what should i like to have"), [] as [usize; 0]);
        assert_eq!(similarities("", &texts), [0.0; 4]);
        assert!(similarities("anything", &[]).is_empty());
    }
}
