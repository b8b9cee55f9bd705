/* SPDX-License-Identifier: MIT */
/*
 * peer-asio, peer-asio-uring: the servers on Asio, with epoll or with io_uring. The
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
using asio::ip::udp;

static control_report counters;

/* Owned by the one operation that it always has in flight. */
class echo_session
{
      public:
	explicit echo_session(tcp::socket socket) : socket_(std::move(socket))
	{
	}

	static void begin(std::unique_ptr<echo_session> s)
	{
		receive(std::move(s));
	}

      private:
	static void receive(std::unique_ptr<echo_session> s)
	{
		echo_session &self = *s;

		self.socket_.async_read_some(asio::buffer(self.buffer_),
					     [s = std::move(s)](std::error_code error,
								std::size_t bytes) mutable {
						     if (error)
							     return;
						     counters.bytes += bytes;
						     send(std::move(s), bytes);
					     });
	}

	static void send(std::unique_ptr<echo_session> s, std::size_t bytes)
	{
		echo_session &self = *s;

		asio::async_write(self.socket_, asio::buffer(self.buffer_, bytes),
				  [s = std::move(s)](std::error_code error, std::size_t) mutable {
					  if (!error)
						  receive(std::move(s));
				  });
	}

	tcp::socket socket_;
	std::array<unsigned char, TWIN_BUFFER_BYTES> buffer_;
};

class sink_session
{
      public:
	explicit sink_session(tcp::socket socket) : socket_(std::move(socket))
	{
	}

	static void begin(std::unique_ptr<sink_session> s)
	{
		sink_session &self = *s;

		self.socket_.async_read_some(asio::buffer(hot),
					     [s = std::move(s)](std::error_code error,
								std::size_t bytes) mutable {
						     if (error)
							     return;
						     counters.bytes += bytes;
						     begin(std::move(s));
					     });
	}

      private:
	tcp::socket socket_;
	/* Nobody looks at what is in it: one does for all. */
	static inline std::array<unsigned char, TWIN_SINK_BYTES> hot;
};

class source_session
{
      public:
	explicit source_session(tcp::socket socket) : socket_(std::move(socket))
	{
	}

	/* Not async_write(), which sends no more than 64 KiB at a time. */
	static void begin(std::unique_ptr<source_session> s)
	{
		source_session &self = *s;
		std::array<asio::const_buffer, TWIN_GATHERED> parts;

		parts.fill(asio::buffer(twin_chunk(self.position_bytes_), TWIN_CHUNK_BYTES));
		self.socket_.async_write_some(parts, [s = std::move(s)](std::error_code error,
									std::size_t bytes) mutable {
			if (error)
				return;
			counters.bytes += bytes;
			s->position_bytes_ += bytes;
			begin(std::move(s));
		});
	}

      private:
	tcp::socket socket_;
	std::uint64_t position_bytes_ = 0;
};

/* Receives one, tries to send it at once, and waits only if that cannot be. */
class datagram_server
{
      public:
	datagram_server(asio::io_context &context, udp protocol, int fd)
	    : socket_(context, protocol, fd)
	{
		socket_.non_blocking(true);
		receive();
	}

      private:
	void receive()
	{
		socket_.async_receive_from(asio::buffer(buffer_), peer_,
					   [this](std::error_code error, std::size_t bytes) {
						   if (error == asio::error::operation_aborted)
							   return;
						   if (error || serve(bytes))
							   receive();
					   });
	}

	/* What came, and what else is there; false if it waits to be sent. */
	bool serve(std::size_t bytes)
	{
		for (int i = 0; i < TRIES_MAX; i++) {
			std::error_code error;

			if (!send(bytes))
				return false;
			bytes = socket_.receive_from(asio::buffer(buffer_), peer_, 0, error);
			if (error)
				return true;
		}
		return send(bytes);
	}

	bool send(std::size_t bytes)
	{
		std::error_code error;

		socket_.send_to(asio::buffer(buffer_, bytes), peer_, 0, error);
		if (error == asio::error::would_block) {
			send_later(bytes);
			return false;
		}
		if (!error)
			counters.bytes += bytes;
		return true;
	}

	void send_later(std::size_t bytes)
	{
		socket_.async_send_to(asio::buffer(buffer_, bytes), peer_,
				      [this](std::error_code error, std::size_t sent) {
					      if (error == asio::error::operation_aborted)
						      return;
					      if (!error)
						      counters.bytes += sent;
					      receive();
				      });
	}

	static constexpr int TRIES_MAX = 64;

	udp::socket socket_;
	udp::endpoint peer_;
	std::array<unsigned char, 65536> buffer_;
};

template <typename session> static void accept(tcp::acceptor &acceptor)
{
	acceptor.async_accept([&acceptor](std::error_code error, tcp::socket socket) {
		if (error == asio::error::operation_aborted)
			return;
		if (!error) {
			counters.accepts++;
			/* Not make_unique: it would clear a buffer. */
			session::begin(std::unique_ptr<session>(new session(std::move(socket))));
		}
		accept<session>(acceptor);
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

/* TCP or UDP of the family that `fd` is of. */
template <typename protocol> static protocol protocol_of(int fd)
{
	sockaddr address{};
	socklen_t size = sizeof(address);

	getsockname(fd, &address, &size);
	return address.sa_family == AF_INET6 ? protocol::v6() : protocol::v4();
}

static void serve_streams(asio::io_context &context, int fd, enum twin_role role)
{
	/* It listens already. TCP_NODELAY is inherited. */
	tcp::acceptor acceptor(context, protocol_of<tcp>(fd), fd);

	if (role == TWIN_SINK)
		accept<sink_session>(acceptor);
	else if (role == TWIN_SOURCE)
		accept<source_session>(acceptor);
	else
		accept<echo_session>(acceptor);
	context.run();
}

static void serve_datagrams(asio::io_context &context, int fd)
{
	auto server = std::make_unique<datagram_server>(context, protocol_of<udp>(fd), fd);

	context.run();
}

int main(int argc, char **argv)
{
#ifdef ASIO_HAS_IO_URING
	static const struct twin twin = { "peer-asio-uring", "uring" };
#else
	static const struct twin twin = { "peer-asio", "epoll" };
#endif
	struct twin_options options;
	int fd = twin_open(argc, argv, &twin, &options);

	try {
		asio::io_context context(1); /* one thread runs it */
		asio::signal_set signals(context, SIGUSR1, SIGTERM, SIGINT);

		watch(signals, context);
		twin_say_listening(fd, &twin);
		if (options.role == TWIN_DATAGRAM)
			serve_datagrams(context, fd);
		else
			serve_streams(context, fd, options.role);
		return 0;
	} catch (const std::exception &e) {
		std::fprintf(stderr, "%s: cannot run: %s\n", twin.name, e.what());
		return TWIN_EXIT_CANNOT_RUN;
	}
}
