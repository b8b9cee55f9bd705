# SPDX-License-Identifier: MIT
# Google Benchmark's CSV of aggregates into one table: soq, its raw twin, the difference.
# Before it the list of the benchmarks, since they come in any order.
# A name is subject@backend/soq|raw/count[/real_time]_median; a rate is items per second.
BEGIN { FS = "," }

/@/ && !/^"/ {
	split($0, name, "/")
	row = name[1] SUBSEP name[3]
	if (!(row in seen)) {
		seen[row] = 1
		rows[++count] = row
	}
}

/^"/ {
	split(substr($1, 2, length($1) - 2), name, "/")
	aggregate = $1
	sub(/^.*_/, "", aggregate)
	sub(/"$/, "", aggregate)
	sub(/_.*/, "", name[3])
	row = name[1] SUBSEP name[3]
	if (aggregate == "median" && $7 > 0)
		ns[row, name[2]] = 1e9 / $7
	# Of the rate, whose CV is that of the time it is made from.
	if (aggregate == "cv")
		cv[row, name[2]] = $7
}

END {
	format = "%-14s %-9s %7s %10s %10s %10s %7s\n"
	printf format, "what", "on", "n", "soq", "raw", "diff", "+-"
	for (i = 1; i <= count; i++) {
		split(rows[i], part, SUBSEP)
		split(part[1], what, "@")
		soq = ns[rows[i], "soq"]
		raw = ns[rows[i], "raw"]
		printf format, what[1], what[2], part[2], sprintf("%.1f", soq),
			sprintf("%.1f", raw), sprintf("%+.1f", soq - raw),
			sprintf("%.1f%%", cv[rows[i], "soq"] * 100)
	}
}
