# What the R scripts of the benchmarks share: how they read rows, measure, and write numbers as JSON.
memory <- function(field) {
  if (!file.exists("/proc/self/status")) return(NA)
  line <- grep(paste0("^", field), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
number <- function(x) if (is.finite(x)) sprintf("%.15g", x) else "null"
numbers <- function(x) paste0("[", paste(vapply(x, number, ""), collapse = ", "), "]")
object <- function(fields) paste0("{", paste0('"', names(fields), '": ', fields, collapse = ", "), "}")
now <- function() proc.time()[["elapsed"]]
quietly <- function(expression) suppressMessages(suppressWarnings(expression))

rows_of <- function(csv, factors) {
  factors <- strsplit(factors, ",")[[1]]
  read.csv(csv, colClasses = setNames(rep("factor", length(factors)), factors))
}

# Written beside and moved, so that nobody reads half of it.
report <- function(fields, out) {
  writeLines(object(fields), paste0(out, ".new"))
  invisible(file.rename(paste0(out, ".new"), out))
}

# Cost and answer (named texts of JSON) of a first call, reported; then times of more calls, reported again.
measured <- function(call, answer, known, out, seconds) {
  invisible(gc())
  if (file.exists("/proc/self/clear_refs")) cat("5", file = "/proc/self/clear_refs")
  before <- memory("VmRSS"); start <- now()
  result <- quietly(call())
  cold <- now() - start; peak <- memory("VmHWM"); warm <- numeric(0)
  found <- c(known, cold = number(cold), peak = number(peak), growth = number(peak - before),
             answer = object(answer(result)))
  report(c(found, warm = numbers(warm)), out)
  deadline <- now() + seconds
  while (length(warm) < 30 && now() + (if (length(warm)) min(warm) else cold) < deadline) {
    # proc.time() ticks in milliseconds: a short call is repeated until the ticks do not matter.
    times <- max(1, ceiling(0.2 / max(cold, 1e-3))); start <- now()
    for (i in seq_len(times)) result <- quietly(call())
    warm <- c(warm, (now() - start) / times)
  }
  report(c(found, warm = numbers(warm)), out)
}
