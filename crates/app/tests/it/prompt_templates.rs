//! The texts of the prompt, over a real database.

use app::prompt_templates::{By, NewTemplate, PromptTemplates, TemplateChange};
use domain::{
    Clock,
    audit::{Act, Filter},
    ids::PromptTemplateId,
    page::PageRequest,
};
use testkit::on_both_databases;

use crate::support::open;

fn text(content: &str) -> TemplateChange {
    TemplateChange { content: Some(content.to_owned()), ..TemplateChange::default() }
}

on_both_databases! {
    async fn versions_are_kept_and_each_act_is_noted(database: Database) {
        let store = open(&database).await;
        let templates = PromptTemplates::new(store.clone(), Clock::System);
        let timing: PromptTemplateId = "pt_timing000000000000000000".parse().unwrap();
        let by = By::default();
        for content in ["one", "two"] {
            assert_eq!(templates.change(&timing, text(content), &by).await.unwrap().content, content);
        }
        let back = TemplateChange { active_version: Some(1), ..TemplateChange::default() };
        assert_eq!(templates.change(&timing, back, &by).await.unwrap().content, "one");
        let (current, versions) = templates.versions(&timing, None, 9).await.unwrap();
        let numbers: Vec<u32> = versions.items.iter().map(|version| version.version).collect();
        assert_eq!((numbers, current.template.active_version), (vec![2, 1, 0], 1));
        let new = NewTemplate {
            key: "persona.x".to_owned(), model: None, name: None, description: None, content: "x".to_owned(), enabled: true,
        };
        let made = templates.create(new.clone(), &by).await.unwrap();
        assert_eq!(templates.create(new, &by).await.unwrap_err().code(), "prompt_template_exists");
        templates.delete(&made.template.id, &by).await.unwrap();
        let page = PageRequest { limit: 20, ..PageRequest::default() };
        let log = store.read().await.unwrap().audit_log(&Filter::default(), &page).await.unwrap().unwrap().items;
        let count = |act: Act| log.iter().filter(|entry| entry.act == act).count();
        assert_eq!([count(Act::TemplateUpdated), count(Act::TemplateCreated), count(Act::TemplateDeleted)], [3, 1, 1]);
    }

    async fn of_many_changes_at_once_none_is_lost_unnoticed(database: Database) {
        let store = open(&database).await;
        let templates = PromptTemplates::new(store.clone(), Clock::System);
        let timing: PromptTemplateId = "pt_timing000000000000000000".parse().unwrap();
        templates.change(&timing, text("zero"), &By::default()).await.unwrap();
        let change = async |content: &str| templates.change(&timing, text(content), &By::default()).await;
        let (a, b, c) = tokio::join!(change("a"), change("b"), change("c"));
        let done = [&a, &b, &c].iter().filter(|done| done.is_ok()).count();
        assert!(done >= 1);
        for refused in [a, b, c].into_iter().filter_map(Result::err) {
            assert_eq!(refused.code(), "prompt_template_changed");
        }
        let (current, versions) = templates.versions(&timing, None, 9).await.unwrap();
        assert_eq!((versions.items.len(), current.template.last_version as usize), (done + 2, done + 1));
    }
}
