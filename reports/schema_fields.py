"""The fields of a file of results: paths, kinds, and lists of one length.

A path names keys; "[]": each item of a list; "*": each value of an object; "?" after a name: may be null.
The kinds are those of `reports.schema`.
"""

FIELDS: tuple[tuple[str, str], ...] = (
    ("schema_version", "count"),
    ("provenance.command", "text"),
    ("provenance.versions.*", "text?"),
    ("provenance.revision", "text?"),
    ("provenance.machine.system", "text"),
    ("provenance.machine.threads", "count"),
    ("provenance.machine.device", "text"),
    ("provenance.seconds", "number"),
    ("phi.curves[].negative_slope", "number"),
    ("phi.curves[].rho[]", "number"),
    ("phi.curves[].closed_form[]", "number"),
    ("phi.routes.*[].statement", "text"),
    ("phi.routes.*[].latex", "text"),
    ("phi.routes.*[].holds", "flag"),
    ("phi.quadrature[].rho", "number"),
    ("phi.quadrature[].negative_slope", "number"),
    ("phi.quadrature[].closed_form", "number"),
    ("phi.quadrature[].quadrature", "number"),
    ("phi.largest_difference", "number?"),
    ("phi.monte_carlo.negative_slope", "number"),
    ("phi.monte_carlo.num_draws", "count"),
    ("phi.monte_carlo.exact[]", "number"),
    ("phi.monte_carlo.mean[]", "number"),
    ("phi.monte_carlo.standard_error[]", "number"),
    ("phi.monte_carlo.largest_deviation", "number?"),
    ("sections[].name", "text"),
    ("sections[].classes[]", "text"),
    ("sections[].preparation", "text"),
    ("sections[].num_test", "count"),
    ("sections[].largest_norm", "number?"),
    ("sections[].setting.dim", "count"),
    ("sections[].setting.N", "count"),
    ("sections[].setting.negative_slope", "number"),
    ("sections[].setting.epsilon", "number"),
    ("sections[].setting.T_f", "number"),
    ("sections[].setting.T_g", "number"),
    ("sections[].setting.scenario", "text"),
    ("sections[].setting.loss", "text"),
    ("sections[].config.data.source", "text"),
    ("sections[].config.targets", "text"),
    ("sections[].config.precision", "text"),
    ("sections[].config.num_steps", "count"),
    ("sections[].config.momentum", "number"),
    ("sections[].widths[]", "count"),
    ("sections[].seeds[]", "count"),
    ("sections[].width_bounds.free_share", "number"),
    ("sections[].width_bounds.published", "number?"),
    ("sections[].width_bounds.rows[].network", "text"),
    ("sections[].width_bounds.rows[].from_data_median", "number?"),
    ("sections[].width_bounds.rows[].from_data_largest", "number?"),
    ("sections[].width_bounds.rows[].from_norms", "number?"),
    *(
        (f"sections[].scatter.{network}.{name}", kind)
        for network in ("f", "g")
        for name, kind in (
            ("width", "count"),
            ("seed", "count"),
            ("predicted[]", "number?"),
            ("measured[]", "number?"),
        )
    ),
    ("sections[].certificates.delta", "number"),
    ("sections[].certificates.shares_wanted[]", "number"),
    ("sections[].certificates.widths[]", "number"),
    ("sections[].certificates.shares.*.*[]", "number?"),
    ("sections[].certificates.required.*.*[]", "number?"),
    ("sections[].certificates.terms.*[]", "number?"),
    ("sections[].certificates.median_prediction", "number?"),
    ("sections[].certificates.published_width", "number?"),
    ("sections[].map?.ticks[]", "number"),
    ("sections[].map?.width", "count"),
    ("sections[].map?.seed", "count"),
    *((f"sections[].map?.{name}[]", "number?") for name in ("f", "g", "f_hat", "g_hat", "f_b", "g_b")),
    ("sections[].map?.data[][]", "number?"),
    ("sections[].map?.labels[]", "number"),
    ("sections[].runs[].width", "count"),
    ("sections[].runs[].seed", "count"),
    *((f"sections[].runs[].{group}.*", "number?") for group in ("f", "g", "cosines", "agreement")),
    ("sections[].runs[].zero_gradients", "count?"),
    ("sections[].by_width[].width", "count"),
    *(
        (f"sections[].by_width[].{group}.*.{name}", "count" if name == "n" else "number?")
        for group in ("f", "g", "cosines", "agreement")
        for name in ("mean", "sd", "low", "high", "n")
    ),
    ("sections[].condition_rows[].name", "text"),
    ("sections[].condition_rows[].threshold", "number?"),
    *(
        (f"sections[].condition_rows[].{name}", "count")
        for name in ("holds_agree", "holds_differ", "fails_agree", "fails_differ")
    ),
    ("sections[].condition_totals[].width", "text"),
    *(
        (f"claims[].{name}", "text")
        for name in (
            "key",
            "statement",
            "formula",
            "source",
            "hypothesis",
            "predicted",
            "measured",
            "samples",
            "decision",
        )
    ),
    ("claims[].section", "text?"),
    ("claims[].met", "flag?"),
    ("claims[].rule", "text"),
    ("claims[].verdict", "verdict"),
    ("claims[].numbers.*", "number?"),
    ("trends", "list"),
    ("sections[].beside", "object"),
    ("sections[].prior_work.width", "count"),
    ("sections[].prior_work.rows", "list"),
    ("sections[].diagnosis.causes[]", "text"),
    ("sections[].diagnosis.by_width", "list"),
    ("sections[].feasibility", "any"),
    ("sections[].choice", "any"),
    ("sections[].images", "any"),
    ("sections[].simulated", "any"),
    ("claims[].evidence", "text"),
    ("claims[].command", "text"),
    ("sections[].drift[].width", "count"),
    ("sections[].drift[].seed", "count"),
    ("sections[].drift[].points", "count"),
    ("sections[].drift[].edges[]", "number"),
    *(
        (f"sections[].drift[].{network}?.{name}", kind)
        for network in ("f", "g")
        for name, kind in (
            ("measured[]", "count"),
            ("crossed[]", "count"),
            ("predicted?[]", "count"),
            ("outside", "count"),
            ("largest", "number"),
            ("blind", "number?"),
            ("difference", "number?"),
        )
    ),
)

# What a report that was interrupted says of itself.
PARTIAL: tuple[tuple[str, str], ...] = (
    ("partial.done", "count"),
    ("partial.planned", "count"),
    ("partial.missing[]", "text"),
    ("partial.sections[].name", "text"),
    *(
        (f"partial.sections[].{name}[]", "count")
        for name in ("widths", "planned_widths", "seeds", "planned_seeds")
    ),
)

# Lists of one length within one object.
TOGETHER: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("phi.curves[]", ("rho", "closed_form")),
    ("phi.monte_carlo", ("exact", "mean", "standard_error")),
    ("sections[].scatter.*", ("predicted", "measured")),
    ("sections[]", ("widths", "by_width")),
    ("sections[].map?", ("f", "g", "f_hat", "g_hat", "f_b", "g_b")),
    ("sections[].map?", ("data", "labels")),
    *((f"sections[].drift[].{network}?", ("measured", "crossed", "predicted")) for network in ("f", "g")),
)
