//! What calls cost by list, seen in the ledger: known, or absent.

use crate::{mock::*, support::*};

/// A gateway whose user has prices for the model of the mock.
async fn priced(upstream: &Upstream) -> (Gateway, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prices.toml");
    let price = "[[price]]\nprovider = 'openai'\nmodels = ['up-*']\ninput = 1000000\noutput = 10000000\n";
    std::fs::write(&file, price).unwrap();
    let toml = format!("[gateway.prices]\nfile = '{}'\n{}", file.display(), model(upstream, ""));
    (Gateway::start(&toml).await, dir)
}

#[tokio::test]
async fn an_answer_has_its_cost_whether_it_passes_or_is_written_anew() {
    let upstream = Upstream::always(vec![good("ok")]).await;
    let (gateway, _dir) = priced(&upstream).await;
    for body in [CALL, REWRITTEN] {
        let answer = gateway.chat(body).await;
        let row = gateway.row(&answer).await;
        assert_eq!((row.inference.cost, row.calls[0].cost), (Some(37.0), Some(37.0)), "{body}");
    }
}

#[tokio::test]
async fn a_list_price_leaves_a_stream_alone() {
    let upstream = Upstream::always(good_stream(&["a"])).await;
    let (gateway, _dir) = priced(&upstream).await;
    let answer = gateway.chat(STREAM).await;
    // Not asked for usage, not read: the mock sends it all the same, so its cost is known.
    assert_eq!(upstream.seen()[0].text(), STREAM.replace("\"m\"", "\"up-1\""));
    assert!(answer.text().contains("\"usage\""), "it went through as it came");
    assert_eq!(gateway.row(&answer).await.inference.cost, Some(37.0));
}

#[tokio::test]
async fn without_usage_or_with_another_tier_the_cost_is_unknown() {
    let flex = chat("ok").replacen('{', "{\"service_tier\":\"flex\",", 1);
    let (begin, end) = (chunk(delta("a")), chunk(finish().split_inclusive("\n\n").next().unwrap()));
    let upstream = Upstream::start(move |n, _| match n {
        0 => vec![stream_head(), begin.clone(), end.clone(), chunk(DONE), last_chunk()],
        1 => vec![json(200, &flex)],
        _ => {
            let late = finish().replacen('{', "{\"service_tier\":\"flex\",", 1);
            vec![stream_head(), chunk(delta("a")), chunk(late), chunk(DONE), last_chunk()]
        }
    })
    .await;
    let (gateway, _dir) = priced(&upstream).await;
    for body in [STREAM, CALL, STREAM] {
        let answer = gateway.chat(body).await;
        assert_eq!(answer.status, 200);
        let row = gateway.row(&answer).await;
        assert_eq!((row.inference.cost, row.calls[0].cost), (None, None), "{body}");
    }
}

#[tokio::test]
async fn the_built_in_prices_are_not_those_of_another_address() {
    let upstream = Upstream::always(vec![good("ok")]).await;
    let gateway = Gateway::start(&model(&upstream, "").replace("up-1", "gpt-4.1")).await;
    let answer = gateway.chat(CALL).await;
    let row = gateway.row(&answer).await;
    assert_eq!((row.inference.usage.input_tokens, row.inference.cost), (Some(7), None));
}
