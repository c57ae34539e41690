// What stands out, each with its evidence, what to do about it, and the rule that found it.
function findingsView() {
  const body = byId("findings-body");
  const { findings } = report;
  if (!functions.length) return void fill(body, empty("No call was traced, so there is nothing to advise."));
  if (!findings.length) return void fill(body, empty("No rule found anything to advise. The rules ask for many calls and a tenth of the time in I/O calls, so a short or a healthy run has no finding; the sections below show where the time went."));
  fill(body, findings.map((finding) => el("article", { class: "finding", vars: { tone: finding.share >= 0.3 ? "var(--bad)" : "var(--warn)" } },
    el("h4", {}, visible(finding.title)),
    el("p", { class: "evidence" }, visible(finding.evidence)),
    el("p", { class: "advice" }, visible(finding.advice)),
    el("p", { class: "rule" }, `rule ${visible(finding.rule)}, ${percent(finding.share)} of the time in I/O calls`))));
}
