//! .
use super::stage::Stage;

/// Writes every page of both stages into a directory, to look at.
#[test]
fn dump() {
    let Some(dir) = std::env::var_os("BACKSTOP_PAGES") else { return };
    let dir = std::path::PathBuf::from(dir);
    for (name, stage) in [("calm", Stage::calm()), ("struck", Stage::struck())] {
        let _ = stage.page.get(&format!("/product/{}", stage.product.product));
        std::thread::sleep(std::time::Duration::from_secs(4));
        std::fs::write(dir.join(format!("{name}.txt")), format!("{}\n{}", stage.page.url, stage.paths().join("\n")))
            .unwrap();
        std::thread::sleep(std::time::Duration::from_secs(
            std::env::var("BACKSTOP_PAGES_HOLD").unwrap().parse().unwrap(),
        ));
    }
}
