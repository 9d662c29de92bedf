"""Every way a Report is shown. In: a `grader.report.Report`. Out: text. Loads no torch."""
