// What stands out, each with its evidence and the rule that found it.
function findingsView() {
  const body = byId("findings-body");
  const { findings } = report;
  if (!findings) return void fill(body, empty("Findings are not part of this report."));
  if (!findings.length) return void fill(body, empty("No rule found anything to advise. That is good news as far as the rules go; the sections below show where the time went."));
  fill(body, findings.map((finding) => el("article", { class: "finding", vars: { tone: finding.severe ? "var(--bad)" : "var(--warn)" } },
    el("h4", {}, visible(finding.title)),
    el("p", { class: "evidence" }, visible(finding.evidence)),
    finding.advice ? el("p", { class: "advice" }, visible(finding.advice)) : null,
    el("p", { class: "rule" }, visible(finding.rule)))));
}
