// What is inside the calls of a function: filled in from the explanations in the report.
function explainView() {
  const body = byId("explain-body");
  const explanations = report.explanations ?? [];
  if (!explanations.length) {
    fill(body, empty("There is nothing nested to explain in this trace. Trace more than one layer, then ask ", el("code", {}, "datacrumbs_analyze explain FUNCTION TRACE"), "."));
  }
}
