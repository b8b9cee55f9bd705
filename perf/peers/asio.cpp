/* SPDX-License-Identifier: MIT */
/*
 * peer-asio, peer-asio-uring: the echo server on Asio, with epoll or with io_uring. The
 * backend is chosen when Asio's headers are compiled, so it is two programs.
 */
extern "C" {
#include "../twins/twin.h"
}

#include <array>
#include <asio.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <system_error>
#include <unistd.h>
#include <utility>

using asio::ip::tcp;

static control_report counters;

/* Owned by the one operation that it always has in flight. */
class session
{
      public:
	explicit session(tcp::socket socket) : socket_(std::move(socket))
	{
	}

	static void receive(std::unique_ptr<session> s)
	{
		session &self = *s;

		self.socket_.async_read_some(asio::buffer(self.buffer_),
					     [s = std::move(s)](std::error_code error,
								std::size_t bytes) mutable {
						     if (error)
							     return;
						     counters.bytes += bytes;
						     send(std::move(s), bytes);
					     });
	}

      private:
	static void send(std::unique_ptr<session> s, std::size_t bytes)
	{
		session &self = *s;

		asio::async_write(self.socket_, asio::buffer(self.buffer_, bytes),
				  [s = std::move(s)](std::error_code error, std::size_t) mutable {
					  if (!error)
						  receive(std::move(s));
				  });
	}

	tcp::socket socket_;
	std::array<unsigned char, TWIN_BUFFER_BYTES> buffer_;
};

static void accept(tcp::acceptor &acceptor)
{
	acceptor.async_accept([&acceptor](std::error_code error, tcp::socket socket) {
		if (error == asio::error::operation_aborted)
			return;
		if (!error) {
			counters.accepts++;
			/* Not make_unique: it would clear the buffer. */
			session::receive(std::unique_ptr<session>(new session(std::move(socket))));
		}
		accept(acceptor);
	});
}

static void watch(asio::signal_set &signals, asio::io_context &context)
{
	signals.async_wait([&](std::error_code, int number) {
		control_say_report(STDOUT_FILENO, &counters);
		if (number == SIGUSR1)
			watch(signals, context);
		else
			context.stop();
	});
}

static int serve(int listen_fd, const struct twin &twin)
{
	asio::io_context context(1); /* one thread runs it */
	asio::signal_set signals(context, SIGUSR1, SIGTERM, SIGINT);
	/* It listens already. TCP_NODELAY is inherited. */
	tcp::acceptor acceptor(context, tcp::v4(), listen_fd);

	watch(signals, context);
	accept(acceptor);
	twin_say_listening(listen_fd, &twin);
	context.run();
	return 0;
}

int main(int argc, char **argv)
{
#ifdef ASIO_HAS_IO_URING
	static const struct twin twin = { "peer-asio-uring", "uring" };
#else
	static const struct twin twin = { "peer-asio", "epoll" };
#endif
	bool option_given;
	int listen_fd = twin_open(argc, argv, &twin, &option_given);

	try {
		return serve(listen_fd, twin);
	} catch (const std::exception &e) {
		std::fprintf(stderr, "%s: cannot run: %s\n", twin.name, e.what());
		return TWIN_EXIT_CANNOT_RUN;
	}
}
