# SPDX-License-Identifier: MIT
# Reads soqperf's rows (tab-separated), prints the medians over rounds as one table, and
# says how far the rounds lay apart.

function median(list,    n, i, j, t, v) {
	n = split(list, v, " ")
	for (i = 2; i <= n; i++) {
		t = v[i] + 0
		for (j = i - 1; j >= 1 && v[j] + 0 > t; j--) v[j + 1] = v[j]
		v[j + 1] = t
	}
	if (n == 0) return ""
	return n % 2 ? v[(n + 1) / 2] + 0 : (v[n / 2] + v[n / 2 + 1]) / 2
}

function spread(list,    n, i, v, lo, hi) {
	n = split(list, v, " ")
	lo = hi = v[1] + 0
	for (i = 2; i <= n; i++) {
		if (v[i] + 0 < lo) lo = v[i] + 0
		if (v[i] + 0 > hi) hi = v[i] + 0
	}
	return median(list) > 0 ? (hi - lo) / median(list) : 0
}

function put(key, column, value) {
	if (value != "") data[key, column] = data[key, column] " " value
}

function value(key, column) { return median(data[key, column]) }

# The median of the rounds' own ratios: what drifts from round to round cancels out.
function ratio(key, of,    n, m, i, a, b, list) {
	n = split(data[key, "server_cpu"], a, " ")
	m = split(data[of, "server_cpu"], b, " ")
	if (n == 0 || n != m) return "-"
	for (i = 1; i <= n; i++) list = list " " a[i] / b[i]
	return sprintf("%.2f", median(list))
}

# Rows whose client runs on another engine are not compared.
function other_client(key) { return key ~ /, both/ }

function number(key, column, format, scale) {
	if (data[key, column] == "") return "-"
	return sprintf(format, value(key, column) / scale)
}

{
	key = $1 SUBSEP $4
	if (!(key in seen)) {
		seen[key] = 1
		if (!($4 in connections)) { connections[$4] = 1; order[++orders] = $4 }
		if (!($1 in servers)) { servers[$1] = 1; names[++count] = $1 }
	}
	put(key, "rate", $8); put(key, "p50", $9); put(key, "p99", $11)
	put(key, "client_cpu", $15); put(key, "server_cpu", $19)
	put(key, "enters", $20); put(key, "sqes", $21); put(key, "allocs", $22)
	errors += $23
}

END {
	printf "%-16s %5s %8s %8s %8s %10s %10s %10s %9s %10s %7s %7s\n", "server", "conns", \
		"req/s", "p50 us", "p99 us", "server ns", "client ns", "enters/req", "SQEs/req", \
		"allocs/req", "/epoll", "/ring"
	for (o = 1; o <= orders; o++) {
		c = order[o]
		# Against the better of the two epoll servers.
		epoll = "raw epoll" SUBSEP c
		edge = "raw epoll, edge" SUBSEP c
		if (value(edge, "server_cpu") < value(epoll, "server_cpu")) epoll = edge
		ring = "raw liburing" SUBSEP c
		bufs = "raw ring" SUBSEP c
		if (bufs in seen && value(bufs, "server_cpu") < value(ring, "server_cpu")) ring = bufs
		for (i = 1; i <= count; i++) {
			key = names[i] SUBSEP c
			if (!(key in seen)) continue
			printf "%-16s %5d %8s %8s %8s %10s %10s %10s %9s %10s %7s %7s\n", names[i], c, \
				number(key, "rate", "%.0f", 1), number(key, "p50", "%.1f", 1000), \
				number(key, "p99", "%.1f", 1000), number(key, "server_cpu", "%.0f", 1), \
				number(key, "client_cpu", "%.0f", 1), number(key, "enters", "%.3f", 1), \
				number(key, "sqes", "%.3f", 1), number(key, "allocs", "%.2f", 1), \
				other_client(key) ? "-" : ratio(key, epoll), \
				other_client(key) ? "-" : ratio(key, ring)
			list = list " " spread(data[key, "server_cpu"])
			if (spread(data[key, "server_cpu"]) > worst) worst = spread(data[key, "server_cpu"])
		}
		print ""
	}
	print "server/client ns: CPU per request of that process. enters: io_uring_enter or epoll_wait calls;"
	print "SQEs: on epoll socket calls. /epoll, /ring: server ns over the better raw epoll, over the better raw liburing,"
	print "the median of the ratios within each round. both: the client runs on epoll too."
	s = median(list)
	printf "noise: server ns of one row differs by %.0f%% between rounds (median row; worst row %.0f%%): %s\n", \
		s * 100, worst * 100, s < 0.05 ? "quiet" : s < 0.2 ? \
		"noisy, differences below a few percent are nothing" : \
		"very noisy, only large differences and the counters count"
	printf "errors: %d\n", errors
}
