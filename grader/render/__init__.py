"""Every way a Report is shown. In: a `grader.report.Report`. Out: text. No torch, no student code."""
