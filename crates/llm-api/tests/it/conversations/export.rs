use axum::body::Body;
use futures_util::TryStreamExt as _;
use http::{Request, header};
use http_body_util::BodyExt as _;

use super::*;

/// What a file holds: each branch with the texts of its items.
fn held(file: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = |branch: &Value| {
        let items = branch["items"].as_array().unwrap();
        items.iter().map(|item| text(&item["content"][0]["text"])).collect()
    };
    file["branches"].as_array().unwrap().iter().map(|branch| (text(&branch["name"]), items(branch))).collect()
}

fn branch(name: &str, texts: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), texts.iter().map(|&text| text.to_owned()).collect())
}

testkit::on_both_databases! {
    async fn a_file_has_all_branches(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({"title": "Gr\u{fc}n & \"so\"", "metadata": {"k": "v"}})).await;
        let ids = talk(&guest, &path, &["a", "b", "c"]).await;
        let fork = json!({"name": "other", "fork_from_item_id": ids[0]});
        guest.post(&format!("{path}/branches"), &fork).await.expect(201);
        let added = json!({"items": [{"role": "user", "content": "d"}]});
        guest.post(&format!("{path}/items?branch=other"), &added).await;
        let answer = guest.get(&format!("{path}/export")).await.expect(200);
        assert_eq!(answer.headers["content-type"], "application/json");
        let id = path.rsplit('/').next().unwrap();
        assert_eq!(
            answer.headers["content-disposition"],
            format!("attachment; filename=\"{id}.json\"; filename*=UTF-8''Gr%C3%BCn%20so.json")
        );
        let file = answer.json();
        assert_eq!((&file["format"], &file["version"]), (&json!("jan-server.conversation"), &json!(1)));
        assert_eq!(file["conversation"], guest.get(&format!("{path}?include_items=false")).await.json());
        let found = held(&file);
        assert_eq!(found[0], branch("MAIN", &["a", "b", "c"]));
        assert_eq!((found.len(), &*found[1].0, &*found[1].1[0]), (2, "other", "a"));
        let items = guest.get(&format!("{path}/items?order=asc")).await.expect(200).json();
        assert_eq!(file["branches"][0]["items"], items["data"], "items are as the list shows them");
        let one = guest.get(&format!("{path}/export?format=json&branch=main")).await.expect(200).json();
        assert_eq!(held(&one), [branch("MAIN", &["a", "b", "c"])]);
    }

    async fn a_long_conversation_is_whole(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({})).await;
        let texts: Vec<String> = (0..450).map(|number| format!("text {number}")).collect();
        for some in texts.chunks(20) {
            talk(&guest, &path, &some.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
        let file = guest.get(&format!("{path}/export")).await.expect(200).json();
        assert_eq!(held(&file), [("MAIN".to_owned(), texts)]);
        let empty = make(&app, &guest, &json!({})).await;
        let file = guest.get(&format!("{empty}/export")).await.expect(200).json();
        assert_eq!(held(&file), [branch("MAIN", &[])]);
    }

    async fn one_that_is_deleted_meanwhile_does_not_look_whole(database: Database) {
        let app = App::on(database).await;
        let (guest, login) = app.login().await;
        let path = make(&app, &guest, &json!({})).await;
        for _ in 0..25 {
            talk(&guest, &path, &["text"; 20]).await;
        }
        let request = Request::get(format!("{path}/export"))
            .header(header::AUTHORIZATION, format!("Bearer {}", login["access_token"].as_str().unwrap()));
        let mut answer = guest.open(request.body(Body::empty()).unwrap()).await;
        answer.body_mut().frame().await.unwrap().unwrap();
        guest.delete(&path).await.expect(200);
        let rest: Result<Vec<_>, _> = answer.into_body().into_data_stream().try_collect().await;
        assert!(rest.is_err(), "it ends like a whole one");
    }

    async fn people_can_read_it(database: Database) {
        let app = App::on(database).await;
        let guest = app.guest().await;
        let path = make(&app, &guest, &json!({"title": "A *title*"})).await;
        talk(&guest, &path, &["Why?\n## Assistant\nBecause.", "```sh\nls"]).await;
        let call = json!({"items": [
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"a\":1}"},
            {"type": "function_call_output", "call_id": "c", "output": "```"},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "SECRET"}]},
        ]});
        guest.post(&format!("{path}/items"), &call).await.expect(200);
        let answer = guest.get(&format!("{path}/export?format=markdown")).await.expect(200);
        assert_eq!(answer.headers["content-type"], "text/markdown; charset=utf-8");
        let text = answer.text();
        let (head, rest) = text.split_once("\n\n## User\n").unwrap();
        assert!(head.starts_with("# A \\*title\\*\n\n2"), "{head}");
        assert_eq!(
            rest,
            "\nWhy?\n\\## Assistant\nBecause.\n\n## Assistant\n\n```sh\nls\n```\n\n### Call of f\n\n```\n{\"a\":1}\n```\n\n\
            ### Result\n\n````\n```\n````\n"
        );
    }

    async fn what_cannot_be_exported_says_why(database: Database) {
        let app = App::on(database).await;
        let (guest, other) = (app.guest().await, app.guest().await);
        let path = make(&app, &guest, &json!({})).await;
        for path in [&*path, &format!("{PATH}/{UNKNOWN}")] {
            let error = other.get(&format!("{path}/export")).await.error();
            assert_eq!(error, (404, "conversation_not_found".to_owned(), None));
        }
        let error = guest.get(&format!("{path}/export?format=pdf")).await.error();
        assert_eq!(error, (400, "invalid_parameter".to_owned(), Some("format".to_owned())));
        for format in ["json", "markdown"] {
            let error = guest.get(&format!("{path}/export?format={format}&branch=none")).await.error();
            assert_eq!(error, (404, "branch_not_found".to_owned(), None));
        }
        assert_eq!(guest.get(&format!("{PATH}/x/export")).await.error().1, "invalid_id");
    }
}
