/* SPDX-License-Identifier: MIT */
/*
 * Whose a loop is. The thread's id answers on the hot path; the kernel can use it
 * again once the thread has exited, so it does not tell that. A robust mutex does:
 * the owner holds it for life, and the kernel marks it when the thread ends. It is
 * never waited for.
 */
#include "loop.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local pid_t soqi_thread __attribute__((tls_model("initial-exec")));

pid_t soqi_thread_ask(void)
{
	soqi_thread = (pid_t)syscall(SYS_gettid);
	return soqi_thread;
}

int soqi_owner_init(struct soq_loop *loop)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (error != 0)
		return -error;
	(void)pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	error = pthread_mutex_init(&loop->alive, &attributes);
	(void)pthread_mutexattr_destroy(&attributes);
	return -error;
}

void soqi_owner_fini(struct soq_loop *loop)
{
	/* In a child of fork() the id is the parent's, and so is the mutex: left alone. */
	if (atomic_load(&loop->owner) != soqi_thread_id())
		return;
	(void)pthread_mutex_unlock(&loop->alive);
	(void)pthread_mutex_destroy(&loop->alive);
}

/*
 * Where whoever is waited for can only run when we do not. Not the affinity: who wants
 * a loop to spin pins its thread, and the others are elsewhere.
 */
static bool has_one_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) == 1;
}

int soqi_owner_claim(struct soq_loop *loop)
{
	pid_t none = 0;
	int error;

	if (!atomic_compare_exchange_strong(&loop->owner, &none, soqi_thread_id()))
		return -EXDEV;
	(void)pthread_mutex_trylock(&loop->alive);
	error = loop->backend->own(loop);
	if (error == 0) {
		loop->spin.limit_ns = has_one_cpu() ? 0 : loop->options.spin_ns;
		return 0;
	}
	(void)pthread_mutex_unlock(&loop->alive);
	atomic_store(&loop->owner, 0);
	return error;
}

bool soqi_owner_gone(struct soq_loop *loop)
{
	int error = pthread_mutex_trylock(&loop->alive);

	if (error == EBUSY)
		return false;
	if (error == EOWNERDEAD)
		(void)pthread_mutex_consistent(&loop->alive);
	(void)pthread_mutex_unlock(&loop->alive);
	return true;
}

int soqi_owner_adopt(struct soq_loop *loop)
{
	pid_t gone = atomic_load(&loop->owner);

	if (pthread_mutex_trylock(&loop->alive) != 0)
		return -EXDEV;
	if (atomic_compare_exchange_strong(&loop->owner, &gone, soqi_thread_id()))
		return 0;
	(void)pthread_mutex_unlock(&loop->alive);
	return -EXDEV;
}
