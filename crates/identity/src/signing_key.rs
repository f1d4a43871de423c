//! The key that signs this server's access tokens: made at the first start, kept in the data directory.
//!
//! RS256, because it is the one algorithm that every verifier has: `OpenID` Connect obliges to it, and several libraries
//! accept nothing else until told to. Its price, a longer token and a tenth of a second for making the key once, is paid
//! outside of the hot path.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaPublicKeyComponents},
};

use crate::{Jwk, OpenError};

/// The file's name in the directory of keys. PKCS#8, in DER.
const FILE: &str = "signing-key.der";

/// A key that signs.
pub(crate) struct SigningKey {
    pair: KeyPair,
    public: Jwk,
}

impl SigningKey {
    /// Reads the key in `directory`, or makes one.
    ///
    /// Several processes may do so at once: the file appears whole and once, and whoever comes second takes the first
    /// one's key.
    pub(crate) fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(FILE);
        match fs::read(&path) {
            Ok(der) => return Self::parse(&path, &der),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(OpenError::File { path, doing: "read", source }),
        }
        let der = generate()?;
        match publish(directory, &path, der.as_ref()) {
            Ok(()) => tracing::info!(path = %path.display(), "Made a signing key"),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(OpenError::File { path, doing: "written", source }),
        }
        let der = fs::read(&path).map_err(|source| OpenError::File { path: path.clone(), doing: "read", source })?;
        Self::parse(&path, &der)
    }

    /// Makes the key that is to follow. It is on the disk, but not in its place before [`SigningKey::install`].
    pub(crate) fn draft(directory: &Path) -> Result<(Self, PathBuf), OpenError> {
        let path = draft_of(&directory.join(FILE));
        let der = generate()?;
        write(&path, der.as_ref()).map_err(|source| OpenError::File {
            path: path.clone(),
            doing: "written",
            source,
        })?;
        Ok((Self::parse(&path, der.as_ref())?, path))
    }

    /// Puts a draft in the place of the key: a start from now on finds it.
    pub(crate) fn install(directory: &Path, draft: &Path) -> Result<(), OpenError> {
        let path = directory.join(FILE);
        let installed = fs::rename(draft, &path).and_then(|()| File::open(directory)?.sync_all());
        installed.map_err(|source| OpenError::File { path, doing: "replaced", source })
    }

    fn parse(path: &Path, der: &[u8]) -> Result<Self, OpenError> {
        warn_if_readable(path);
        let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
        let pair = KeyPair::from_pkcs8(der).map_err(|error| damaged(error.to_string()))?;
        let components = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        if components.n.len() < 256 {
            return Err(damaged("shorter than 2048 bits".to_owned()));
        }
        let public = Jwk::new(&components.n, &components.e);
        Ok(Self { pair, public })
    }

    /// The half that everybody may know.
    pub(crate) fn public(&self) -> &Jwk {
        &self.public
    }

    /// The signature of a text; about a millisecond.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        self.pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
        Ok(signature)
    }
}

fn generate() -> Result<Pkcs8V1Der<'static>, OpenError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| OpenError::Generate)?;
    pair.as_der().map_err(|_| OpenError::Generate)
}

/// A name beside `path` that nobody has.
fn draft_of(path: &Path) -> PathBuf {
    path.with_extension(domain::secret::hex(&domain::secret::random::<8>()))
}

/// Writes the file so that it is there whole or not at all, on the disk, and is nobody's but the owner's. A file that is
/// there already stays and is `AlreadyExists`.
fn publish(directory: &Path, path: &Path, der: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let draft = draft_of(path);
    let written = write(&draft, der)
        // A link, unlike a renaming, does not replace what is there.
        .and_then(|()| fs::hard_link(&draft, path));
    // A draft that stays is a key that nobody uses; what the writing says matters more.
    fs::remove_file(&draft).ok();
    written?;
    File::open(directory)?.sync_all()
}

fn write(path: &Path, der: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(der)?;
    file.sync_all()
}

fn warn_if_readable(path: &Path) {
    if let Ok(about) = fs::metadata(path)
        && about.permissions().mode() & 0o077 != 0
    {
        let path = path.display();
        tracing::warn!(%path, "Others can read the signing key and sign in as anybody: chmod 600 it");
    }
}
