/* SPDX-License-Identifier: MIT */
/* Files and servers for the system's resolver. */
#define _GNU_SOURCE
#include "names.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define DNS_PORT 53

/* The threads of this process, but for those the kernel has given it. */
static unsigned threads_count(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		char path[300], name[16] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		/* It may have ended by now. */
		file = entry->d_name[0] != '.' ? fopen(path, "re") : NULL;
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && strncmp(name, "iou-", 4) != 0)
			count++;
		fclose(file);
	}
	closedir(tasks);
	return count;
}

static void *thread_id(void *id_out)
{
	*(pid_t *)id_out = gettid();
	return NULL;
}

/* A sanitizer has a thread of its own from the first other one on: that is to be there already. */
static unsigned threads_before(void)
{
	char path[64];
	pthread_t thread;
	pid_t id;

	expect(pthread_create(&thread, NULL, thread_id, &id), 0);
	expect(pthread_join(thread, NULL), 0);
	snprintf(path, sizeof(path), "/proc/self/task/%d", (int)id);
	while (access(path, F_OK) == 0)
		sched_yield();
	return threads_count();
}

/* Makes a file in the folder. */
static void file_make(struct names *n, const char *name, const char *text)
{
	struct soq_endpoint unused;
	FILE *file;

	unix_file(&n->folder, name, &unused);
	file = fopen(n->folder.file, "wxe");
	assert_non_null(file);
	expect_true(fputs(text, file) >= 0);
	expect(fclose(file), 0);
}

static void file_remove(struct names *n, const char *name)
{
	struct soq_endpoint unused;

	unix_file(&n->folder, name, &unused);
	expect(unlink(n->folder.file) == 0 ? 0 : -errno, 0);
}

static const char *const etc[3] = { "hosts", "nsswitch.conf", "resolv.conf" };

void names_open(struct names *n, unsigned count, const char *etc_hosts, const char *server)
{
	char resolv[128];
	const char *const texts[3] = { etc_hosts, "hosts: files dns\n", resolv };

	*n = (struct names){ .threads = threads_before(), .says = -1 };
	hosts_open(&n->h, count);
	unix_folder_open(&n->folder);
	snprintf(resolv, sizeof(resolv),
		 "nameserver %s\nsearch test\noptions timeout:30 attempts:1\n", server);
	for (unsigned i = 0; i < 3; i++) {
		char path[32];

		file_make(n, etc[i], texts[i]);
		snprintf(path, sizeof(path), "/etc/%s", etc[i]);
		expect(mount(n->folder.file, path, NULL, MS_BIND, NULL) == 0 ? 0 : -errno, 0);
	}
}

unsigned names_at_work(const struct names *n)
{
	return threads_count() - n->threads;
}

static void dnsmasq_end(struct names *n)
{
	int status;

	if (n->dnsmasq == 0)
		return;
	expect(kill(n->dnsmasq, SIGKILL), 0);
	expect(waitpid(n->dnsmasq, &status, 0), n->dnsmasq);
	/* It was there until now. */
	expect_true(WIFSIGNALED(status));
	expect(close(n->says), 0);
	file_remove(n, "zone");
}

void names_rest(const struct names *n)
{
	int64_t until_ns = now_ns() + watchdog_ns();

	while (names_at_work(n) > 0 && now_ns() < until_ns)
		sched_yield();
	expect(names_at_work(n), 0);
}

void names_close(struct names *n)
{
	names_rest(n);
	dnsmasq_end(n);
	for (unsigned i = 0; i < 3; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/etc/%s", etc[i]);
		expect(umount2(path, MNT_DETACH) == 0 ? 0 : -errno, 0);
		file_remove(n, etc[i]);
	}
	unix_folder_close(&n->folder);
	hosts_close(&n->h);
}

/* In the child. It goes with the test, whichever way that ends. */
static void dnsmasq_run(int says, const char *zone)
{
	char hosts[240];

	snprintf(hosts, sizeof(hosts), "--addn-hosts=%s", zone);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && dup2(says, STDERR_FILENO) >= 0)
		execlp("dnsmasq", "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv",
		       "--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces",
		       "--local=/test/", hosts, (char *)NULL);
	_exit(127);
}

void names_serve(struct names *n, const char *zone)
{
	char said[4096] = "";
	size_t size = 0;
	int ends[2];

	file_make(n, "zone", zone);
	expect(pipe2(ends, O_CLOEXEC), 0);
	n->says = ends[0];
	n->dnsmasq = fork();
	expect_true(n->dnsmasq >= 0);
	if (n->dnsmasq == 0)
		dnsmasq_run(ends[1], n->folder.file);
	expect(close(ends[1]), 0);
	/* "read <the zone> - 5 names": it has its sockets, and all that it knows. */
	while (!strstr(said, ": read ")) {
		ssize_t got = read(n->says, said + size, sizeof(said) - 1 - size);

		if (got <= 0)
			fail_msg("dnsmasq (package dnsmasq-base) does not run: %s", said);
		size += (size_t)got;
		said[size] = '\0';
	}
}

int server_open(const char *address)
{
	struct timeval patience = { .tv_sec = watchdog_ns() / (1000 * MS) };
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(DNS_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	expect_true(fd >= 0);
	expect(inet_pton(AF_INET, address, &name.sin_addr), 1);
	expect(bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0 ? 0 : -errno, 0);
	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	return fd;
}

void server_take(int server, struct asked *asked)
{
	socklen_t size = sizeof(asked->from);
	/* An answer has room behind it. */
	ssize_t got;

	do
		got = recvfrom(server, asked->bytes, sizeof(asked->bytes) - 64, 0,
			       (struct sockaddr *)&asked->from, &size);
	while (got < 0 && errno == EINTR);
	/* A header, one question, and nothing more. */
	expect_true(got > 16);
	expect(asked->bytes[5], 1);
	asked->size_bytes = (size_t)got;
}

void server_answer(int server, const struct asked *asked, unsigned code, const char *address)
{
	struct asked a = *asked;
	unsigned char *type = a.bytes + a.size_bytes - 4, *at = a.bytes + a.size_bytes;
	int is_ipv6 = type[1] == 28; /* AAAA, and not A */
	size_t address_bytes = is_ipv6 ? 16 : 4;

	a.bytes[2] |= 0x80; /* an answer */
	a.bytes[3] = (unsigned char)(0x80 | code);
	if (address && is_ipv6 == (strchr(address, ':') != NULL)) {
		/* The name of the question, its type and class; not to be kept. */
		const unsigned char head[] = { 0xc0, 12, type[0], type[1], type[2], type[3],
					       0,    0,  0,       0,       0,       0 };

		a.bytes[7] = 1;
		memcpy(at, head, sizeof(head));
		at += sizeof(head);
		at[-1] = (unsigned char)address_bytes;
		expect(inet_pton(is_ipv6 ? AF_INET6 : AF_INET, address, at), 1);
		at += address_bytes;
	}
	expect(sendto(server, a.bytes, (size_t)(at - a.bytes), 0, (struct sockaddr *)&a.from,
		      sizeof(a.from)),
	       at - a.bytes);
}
