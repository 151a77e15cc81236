//! Plots of the rows as SVG: throughput against batch size, submit latency against percentile.

use std::collections::BTreeMap;

use plotters::prelude::*;

use super::goals::CAPTURES;
use super::latency::PERCENTILES;
use super::row::{NO_BACKEND, Row, Unit};

const SIZE: (u32, u32) = (820, 460);
const COLOURS: [RGBColor; 10] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(214, 39, 40),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(127, 127, 127),
    RGBColor(188, 189, 34),
    RGBColor(23, 190, 207),
];

/// Named lines through points.
type Lines = BTreeMap<String, Vec<(f64, f64)>>;

/// Entries a second against batch size, limits and peers beside ours; `None` without appends.
pub(crate) fn throughput(rows: &[Row]) -> Option<String> {
    let mut lines = Lines::new();
    for row in rows.iter().filter(|row| row.what.starts_with("append")) {
        let is_rate = row.unit == Unit::EntriesPerSecond && row.backend != NO_BACKEND;
        if !is_rate || row.what.ends_with(CAPTURES) {
            continue;
        }
        let x = row.batch as f64;
        let name = row.what.replacen("append", row.backend, 1);
        lines.entry(name).or_default().push((x, row.value));
        let beside = row.peers.iter().map(|(name, peer)| (*name, peer.value));
        for (name, value) in beside.chain([(&*row.limit, row.limit_value)]) {
            let line = lines.entry(name.to_owned()).or_default();
            // Each row of a batch carries the same limits and peers.
            if line.last().is_none_or(|last| last.0 != x) {
                line.push((x, value));
            }
        }
    }
    draw("durable appends", "entries a commit", "entries a second", &lines, |x| format!("{x:.0}"))
}

/// Nanoseconds against percentile, a line a rate; `None` without submits.
pub(crate) fn submits(rows: &[Row]) -> Option<String> {
    let mut lines = Lines::new();
    let submits = rows.iter().find(|row| row.what.starts_with("submit "));
    let shown = submits.map_or(NO_BACKEND, |row| row.backend);
    for row in rows {
        for (at, (_, percentile)) in PERCENTILES.iter().enumerate() {
            let Some(what) = row.what.strip_suffix(percentile) else { continue };
            let Some(rate) = what.strip_prefix("submit ") else { continue };
            // The other backends have the same queue, and policies rows of their own.
            if row.backend != shown || rate.contains(',') {
                continue;
            }
            // A power of ten a percentile: the axis is logarithmic.
            let x = 10_f64.powi(at as i32);
            let mut push = |name: String, value: f64| {
                lines.entry(name).or_default().push((x, value.max(1.0)));
            };
            push(format!("{} {}", row.backend, rate.trim()), row.value);
            push(format!("no call, {}", rate.trim()), row.limit_value);
        }
    }
    let label = |x: &f64| {
        let at = x.log10().round() as usize;
        PERCENTILES.get(at).map_or_else(String::new, |(_, name)| (*name).to_owned())
    };
    draw("submit, from when it was due", "percentile", "ns", &lines, label)
}

fn draw(
    title: &str,
    x_name: &str,
    y_name: &str,
    lines: &Lines,
    x_label: impl Fn(&f64) -> String,
) -> Option<String> {
    let points = || lines.values().flatten();
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)))
    };
    points().next()?;
    let (x_low, x_high) = range(&mut points().map(|point| point.0));
    let (y_low, y_high) = range(&mut points().map(|point| point.1));
    let mut svg = String::new();
    let drawn = {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let (plot, legend) = root.split_horizontally(SIZE.0 - 230);
        let x_axis = (x_low..x_high.max(x_low * 1.01)).log_scale();
        let y_axis = (y_low / 2.0..y_high * 2.0).log_scale();
        (|| {
            root.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&plot)
                .caption(title, ("sans-serif", 18))
                .margin(12)
                .x_label_area_size(40)
                .y_label_area_size(80)
                .build_cartesian_2d(x_axis, y_axis)?;
            chart
                .configure_mesh()
                .x_desc(x_name)
                .y_desc(y_name)
                .x_label_formatter(&x_label)
                .y_label_formatter(&|y| format!("{y:.0}"))
                .light_line_style(WHITE)
                .draw()?;
            for (at, (name, points)) in lines.iter().enumerate() {
                let colour = COLOURS[at % COLOURS.len()];
                chart
                    .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
                chart.draw_series(points.iter().map(|p| Circle::new(*p, 3, colour.filled())))?;
                let y = 40 + 18 * at as i32;
                legend.draw(&PathElement::new([(4, y), (24, y)], colour.stroke_width(2)))?;
                let style = ("sans-serif", 13).into_font().color(&BLACK);
                legend.draw(&Text::new(name.clone(), (30, y - 7), style))?;
            }
            root.present()
        })()
    };
    drawn.ok().map(|()| svg)
}
