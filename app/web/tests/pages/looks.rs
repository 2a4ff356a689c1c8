//! What a page must be to be read by anybody: contrast, structure, and pictures with tables.

use super::stage::Stage;
use backstop_web::assets::STYLE;
use std::collections::BTreeMap;

/// The variables of a part of the style.
fn colours(part: &str) -> BTreeMap<String, [f64; 3]> {
    let mut found = BTreeMap::new();
    for declaration in part.split([';', '{']) {
        let Some((name, value)) = declaration.trim().split_once(':') else { continue };
        if let (Some(name), Some(hex)) = (name.trim().strip_prefix("--"), value.trim().strip_prefix('#')) {
            let channel = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits")) / 255.0;
            found.insert(name.to_owned(), [channel(0), channel(2), channel(4)]);
        }
    }
    found
}

/// The contrast of two colours, as WCAG has it.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let luminance = |colour: [f64; 3]| {
        let [red, green, blue] =
            colour.map(|part| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn contrast_is_that_of_wcag_aa_in_light_and_in_dark() {
    let (light, rest) = STYLE.split_once("@media").expect("there is a dark style");
    let (light, dark) = (colours(light), colours(rest.split_once("*, *").expect("it ends").0));
    assert_eq!(light.keys().collect::<Vec<_>>(), dark.keys().collect::<Vec<_>>());
    for (name, palette) in [("light", light), ("dark", dark)] {
        let texts = [
            ("text", "page"),
            ("text", "card"),
            ("quiet", "page"),
            ("quiet", "card"),
            ("accent", "page"),
            ("accent", "card"),
            ("on-accent", "accent"),
            ("good", "page"),
            ("good", "card"),
            ("alert", "page"),
            ("alert", "card"),
            ("alert", "alert-back"),
            ("text", "alert-back"),
        ];
        for (front, back) in texts {
            let found = contrast(palette[front], palette[back]);
            assert!(found >= 4.5, "{name}: {front} on {back} has {found:.2}");
        }
        let shapes = [
            "surplus", "junior", "senior", "exiting", "risk", "loading", "demand", "exposure", "layer", "share", "own",
        ];
        for shape in shapes {
            let found = contrast(palette[shape], palette["page"]);
            assert!(found >= 3.0, "{name}: the shape {shape} has {found:.2}");
        }
        // Names stand on the storeys of a tower, in the page's colour.
        for shape in ["own", "layer", "share"] {
            let found = contrast(palette[shape], palette["page"]);
            assert!(found >= 4.5, "{name}: a name on the shape {shape} has {found:.2}");
        }
    }
}

#[test]
fn every_page_has_its_landmarks_and_works_without_a_script_of_its_own() {
    let stage = Stage::struck();
    for path in stage.paths() {
        let html = stage.page.shown(&path);
        for part in ["<html lang=\"en\">", "<main id=\"content\"", "<nav aria-label=", "class=\"skip\"", "<footer>"] {
            assert_eq!(html.matches(part).count(), 1, "{path}: {part}");
        }
        assert_eq!(html.matches("<h1>").count(), 1, "{path}");
        // Nothing runs and nothing is styled that does not come from a file of ours.
        assert_eq!(html.matches("<style").count(), 0, "{path}");
        assert!(!html.contains(" style="), "{path}");
        assert!(!html.contains("javascript:"), "{path}");
        for script in html.split("<script").skip(1) {
            let (tag, rest) = script.split_once('>').expect("the tag ends");
            assert!(tag.contains("src=\"/assets/"), "{path}: {tag}");
            assert!(rest.starts_with("</script>"), "{path}: a script has a body");
        }
        let attributes = html.split('<').filter_map(|tag| tag.split_once('>').map(|(tag, _)| tag));
        for tag in attributes {
            let names = tag.split('"').step_by(2).flat_map(str::split_whitespace);
            assert!(!names.into_iter().any(|name| name.starts_with("on")), "{path}: {tag}");
        }
    }
}

#[test]
fn every_picture_has_a_title_a_description_and_a_table() {
    let mut pictures = 0;
    for (stage, path) in [Stage::calm(), Stage::struck()]
        .iter()
        .flat_map(|stage| stage.paths().into_iter().map(move |path| (stage, path)))
    {
        let html = stage.page.shown(&path);
        for figure in html.split("<svg").skip(1) {
            let (svg, rest) = figure.split_once("</svg>").expect("it ends");
            let after = rest.split_once("</figure>").expect("it is in a figure").0;
            assert!(svg.contains("role=\"img\"") && svg.contains("<title id=") && svg.contains("<desc id="), "{path}");
            assert!(after.contains("<figcaption>") && after.contains("<table>"), "{path}");
            assert!(after.matches("<tr>").count() > 1 || svg.contains("price"), "{path}: the table is empty");
            pictures += 1;
        }
        let mut ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{path}: an id is there twice");
        for named in html.split("aria-labelledby=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(named.split(' ').all(|id| ids.contains(&id)), "{path}: {named} names nothing");
        }
    }
    assert!(pictures >= 12, "{pictures} pictures");
}

#[test]
fn the_page_that_is_open_is_marked_in_the_menu() {
    let stage = Stage::calm();
    for path in ["/", "/reinsurance", "/incidents", "/announcements", "/status"] {
        let html = stage.page.shown(path);
        assert!(html.contains(&format!("<a href=\"{path}\" aria-current=\"page\">")), "{path}");
        assert_eq!(html.matches("aria-current").count(), 1, "{path}");
    }
}
