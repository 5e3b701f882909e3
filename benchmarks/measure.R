# What the R scripts of the benchmarks measure with, and how they write numbers as JSON.
memory <- function(field) {
  if (!file.exists("/proc/self/status")) return(NA)
  line <- grep(paste0("^", field), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
number <- function(x) if (is.finite(x)) sprintf("%.15g", x) else "null"
numbers <- function(x) paste0("[", paste(vapply(x, number, ""), collapse = ", "), "]")
now <- function() proc.time()[["elapsed"]]
