# SPDX-License-Identifier: MIT
# Reads soqperf's rows of one request size, prints the bytes per CPU second of each server, the
# median of its rounds. A label may have commas; the other 22 columns have none.
BEGIN { FS = "," }

function median(list,    n, i, j, t, v) {
	n = split(list, v, " ")
	for (i = 2; i <= n; i++) {
		t = v[i] + 0
		for (j = i - 1; j >= 1 && v[j] + 0 > t; j--) v[j + 1] = v[j]
		v[j + 1] = t
	}
	return n % 2 ? v[(n + 1) / 2] + 0 : (v[n / 2] + v[n / 2 + 1]) / 2
}

{
	label = $1
	for (i = 2; i <= NF - 22; i++) label = label "," $i
	if (!(label in rate)) names[++count] = label
	at = NF - 22
	rate[label] = rate[label] " " size / $(at + 18)
	sqes[label] = sqes[label] " " $(at + 20)
	errors += $(at + 22)
}

END {
	printf "%-28s %16s %12s\n", "server", "GB/CPU second", "SQEs/MiB"
	for (i = 1; i <= count; i++)
		printf "%-28s %16.2f %12.1f\n", names[i], median(rate[names[i]]), \
			median(sqes[names[i]]) * 1048576 / size
	printf "errors: %d\n", errors
}
