//! The tables `prompt_templates` and `prompt_template_versions`.

use std::time::Duration;

use ::store::{ActivePromptTemplate, Store};
use domain::{
    Clock,
    ids::{PromptTemplateId, UserId},
    prompt_template::{PromptTemplate, PromptTemplateVersion},
};
use testkit::on_both_databases;

use crate::support::{HOUR, NOW, insert_user, open};

/// A template for `key` and `model`, the `n`th in order.
fn template(key: &str, model: Option<&str>, n: u64) -> PromptTemplate {
    PromptTemplate {
        id: PromptTemplateId::new(&Clock::fixed(NOW + Duration::from_secs(n))),
        key: key.to_owned(),
        model: model.map(str::to_owned),
        name: "A title \u{e9}".to_owned(),
        description: String::new(),
        category: "orchestration".to_owned(),
        enabled: true,
        active_version: 1,
        last_version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn version(number: u32, by: Option<&UserId>) -> PromptTemplateVersion {
    let content = format!("Text {number} {{{{ now }}}}");
    PromptTemplateVersion { version: number, content, created_by: by.cloned(), created_at: NOW }
}

async fn insert(store: &Store, template: &PromptTemplate, version: &PromptTemplateVersion) {
    let mut tx = store.write().await.unwrap();
    assert!(tx.insert_prompt_template(template).await.unwrap());
    tx.insert_prompt_template_version(&template.id, version).await.unwrap();
    tx.commit().await.unwrap();
}

on_both_databases! {
    async fn a_template_and_its_versions_are_read_back(database: Database) {
        let store = open(&database).await;
        let author = insert_user(&store).await.id;
        let first = template("timing", None, 1);
        insert(&store, &first, &version(1, Some(&author))).await;
        let mut tx = store.write().await.unwrap();
        tx.insert_prompt_template_version(&first.id, &version(2, None)).await.unwrap();
        let second = PromptTemplate { active_version: 2, last_version: 2, enabled: false, updated_at: NOW + HOUR, ..first.clone() };
        assert!(tx.update_prompt_template(&first, &second).await.unwrap());
        assert!(!tx.update_prompt_template(&first, &second).await.unwrap(), "somebody was faster");
        tx.commit().await.unwrap();

        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.prompt_template(&first.id).await.unwrap(), Some(second.clone()));
        assert_eq!(reader.prompt_templates(9).await.unwrap(), [second]);
        assert_eq!(reader.count_prompt_templates().await.unwrap(), 1);
        let versions = reader.prompt_template_versions(&first.id, u32::MAX, 9).await.unwrap();
        assert_eq!(versions, [version(2, None), version(1, Some(&author))]);
        assert_eq!(reader.prompt_template_versions(&first.id, 2, 9).await.unwrap(), [version(1, Some(&author))]);
        assert_eq!(reader.prompt_template_version(&first.id, 2).await.unwrap(), Some(version(2, None)));
        assert_eq!(reader.prompt_template_version(&first.id, 3).await.unwrap(), None);
    }

    async fn a_key_has_one_template_for_each_model(database: Database) {
        let store = open(&database).await;
        let mut tx = store.write().await.unwrap();
        for (template, added) in [
            (template("timing", None, 1), true),
            (template("timing", None, 2), false),
            (template("timing", Some("vendor/model"), 3), true),
            (template("timing", Some("vendor/model"), 4), false),
        ] {
            assert_eq!(tx.insert_prompt_template(&template).await.unwrap(), added, "{template:?}");
        }
    }

    async fn what_is_in_use_is_the_active_version(database: Database) {
        let store = open(&database).await;
        let timing = template("timing", None, 1);
        insert(&store, &timing, &version(1, None)).await;
        let built_in = PromptTemplate { active_version: 0, enabled: false, ..template("memory", Some("m"), 2) };
        insert(&store, &built_in, &version(1, None)).await;
        let mut reader = store.read().await.unwrap();
        let texts = reader.prompt_template_texts(&[&built_in.id]).await.unwrap();
        assert!(texts.is_empty(), "it has none of its own in use: {texts:?}");
        let texts = reader.prompt_template_texts(&[&built_in.id, &timing.id]).await.unwrap();
        assert_eq!(texts, [(timing.id, version(1, None).content)].into());
        let active = reader.active_prompt_templates(9).await.unwrap();
        let content = Some(version(1, None).content);
        let line = |key: &str, model: &str, enabled, content| {
            ActivePromptTemplate { key: key.to_owned(), model: model.to_owned(), enabled, content }
        };
        assert_eq!(active, [line("timing", "", true, content), line("memory", "m", false, None)]);
    }

    async fn a_template_goes_with_its_versions(database: Database) {
        let store = open(&database).await;
        let (gone, stays) = (template("timing", None, 1), template("memory", None, 2));
        insert(&store, &gone, &version(1, None)).await;
        insert(&store, &stays, &version(1, None)).await;
        let mut tx = store.write().await.unwrap();
        assert!(tx.delete_prompt_template(&gone.id).await.unwrap());
        assert!(!tx.delete_prompt_template(&gone.id).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(store.read().await.unwrap().prompt_template(&gone.id).await.unwrap(), None);
        assert_eq!(database.number("SELECT COUNT(*) FROM prompt_template_versions").await, 1);
    }
}
