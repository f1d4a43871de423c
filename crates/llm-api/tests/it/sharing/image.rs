use super::*;

async fn with_image(database: Database) -> World {
    let world = World::new(database).await;
    let content = json!([
        {"type": "text", "text": "look"},
        {"type": "input_image", "image_url": PNG_URL},
        {"type": "input_image", "image_url": "https://elsewhere.example/SECRET.png"},
    ]);
    world.add("message", Some("user"), &json!({"content": content})).await;
    world
}

on_both_databases! {
    async fn images_are_part_of_a_share_when_asked_for(database: Database) {
        let world = with_image(database).await;
        let share = world.share(json!({"include_images": true})).await;
        let public = world.open(&share).await.expect(200);
        assert!(!public.text().contains("SECRET") && !public.text().contains("base64"), "{}", public.text());
        let file = &public.json()["snapshot"]["items"][2]["content"][1]["file_ref"];
        let url = format!("{}/images/1", share["share_url"].as_str().unwrap());
        assert_eq!(*file, json!({"file_id": "image-1", "mime_type": "image/png", "name": "image-1.png", "url": url}));

        let path = format!("{}/images/1", link(&share));
        let image = world.app.anonymous().get(&path).await.expect(200);
        assert_eq!(image.body, PNG);
        for (name, value) in [
            ("content-type", "image/png"),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex, nofollow"),
        ] {
            assert_eq!(image.headers[name], value, "{name}");
        }
        let known = world.app.anonymous().header(http::header::IF_NONE_MATCH, image.headers["etag"].to_str().unwrap());
        assert!(known.get(&path).await.expect(304).body.is_empty());
        world.app.database.execute("UPDATE share_images SET number = number + 10").await;
        known.get(&path).await.expect(304); // It was not looked for.
        assert_eq!(world.app.anonymous().get(&path).await.error().0, 404);
        world.app.database.execute("UPDATE share_images SET number = number - 10").await;
        let slug = share["slug"].as_str().unwrap();
        let page = world.page(&link(&share)).await.expect(200).text();
        assert!(page.contains(&format!("<img src=\"{slug}/images/1\"")), "{page}");
        for alias in ["public/shares", "conversations/share"] {
            let page = world.page(&format!("/v1/{alias}/{slug}")).await.expect(200).text();
            assert!(page.contains(&format!("<img src=\"../../share/{slug}/images/1\"")), "{page}");
        }

        world.guest.delete(&format!("/v1/shares/{slug}")).await.expect(200);
        assert_eq!(world.app.anonymous().get(&path).await.error(), (410, "share_revoked".to_owned(), None));
    }

    async fn otherwise_they_are_not(database: Database) {
        let world = with_image(database).await;
        let share = world.share(json!({})).await;
        assert!(!world.open(&share).await.expect(200).text().contains("image"));
        for number in ["1", "0", "99"] {
            let error = world.app.anonymous().get(&format!("{}/images/{number}", link(&share))).await.error();
            assert_eq!(error.1, "share_not_found", "{number}");
        }
        for number in ["x", "-1", "99999999999"] {
            let error = world.app.anonymous().get(&format!("{}/images/{number}", link(&share))).await.error();
            assert_eq!(error.0, 404, "{number}");
        }
    }
}
