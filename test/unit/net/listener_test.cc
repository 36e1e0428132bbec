#include "net/listener.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "sockets.h"

using namespace stampede;
using namespace stampede::net;
using namespace stampede::net::test;

namespace {

class ScratchDir {
 public:
  ScratchDir() {
    char path[] = "/tmp/stampede-net-XXXXXX";
    REQUIRE(::mkdtemp(path) != nullptr);
    path_ = path;
  }
  ~ScratchDir() { std::filesystem::remove_all(path_); }
  Address socket_address() const { return *parse_address("unix:" + path_ + "/admin.sock"); }
  std::string file() const { return path_ + "/admin.sock"; }

 private:
  std::string path_;
};

std::vector<OwnedSocket> own(const std::vector<Socket>& sockets) {
  std::vector<OwnedSocket> owned;
  for (const Socket socket : sockets) owned.emplace_back(socket);
  return owned;
}

std::string why_not(const Address& address, unsigned count = 1) {
  const Result<std::vector<Socket>> listeners = open_listeners(address, count);
  REQUIRE_FALSE(listeners);
  return listeners.error().message;
}

}  // namespace

TEST_SUITE("net/listener") {
  TEST_CASE("port 0 becomes one free port that all listeners share") {
    const Result<std::vector<Socket>> opened = open_listeners(any_loopback_port(), 4);
    REQUIRE(opened);
    const std::vector<OwnedSocket> listeners = own(*opened);
    CHECK(listeners.size() == 4);
    const Address address = address_of(listeners[0].get());
    CHECK(address.port != 0);
    for (const OwnedSocket& listener : listeners) CHECK(address_of(listener.get()) == address);
  }

  TEST_CASE("addresses collide when no two listeners can have them") {
    const std::vector<std::string> hosts{"127.0.0.1", "127.0.0.2", "0.0.0.0", "[::1]", "[::]"};
    for (const std::string& first : hosts) {
      const Result<std::vector<Socket>> opened = open_listeners(*parse_address(first + ":0"), 1);
      if (!opened) continue;  // a machine without IPv6
      const std::vector<OwnedSocket> listeners = own(*opened);
      const Address taken = address_of(listeners[0].get());
      for (const std::string& second : hosts) {
        CAPTURE(first + " " + second);
        const Address wanted = *parse_address(second + ":" + std::to_string(taken.port));
        const Result<std::vector<Socket>> beside = open_listeners(wanted, 1);
        if (beside) (void)own(*beside);
        CHECK(collide(taken, wanted) == !bool(beside));
        CHECK(collide(wanted, taken) == !bool(beside));
      }
    }
    const Address free = any_loopback_port(), file = *parse_address("unix:/a");
    CHECK_FALSE(collide(free, free));
    CHECK_FALSE(collide(free, file));
    CHECK(collide(file, file));
    CHECK_FALSE(collide(file, *parse_address("unix:/b")));
  }

  TEST_CASE("the kernel deals connections out to every listener and loses none") {
    EpollNet net;
    const std::vector<OwnedSocket> listeners = own(*open_listeners(any_loopback_port(), 3));
    for (size_t i = 0; i < listeners.size(); ++i)
      REQUIRE(net.watch(listeners[i].get(), i, Interest::read));
    const Address address = address_of(listeners[0].get());

    // The kernel hashes ports, so that with 64 clients a listener without any is a matter of 1 in
    // 10^11.
    std::vector<OwnedSocket> clients, accepted;
    std::set<uint64_t> served;
    for (int i = 0; i < 64; ++i) clients.push_back(connect_to(address));
    while (accepted.size() < clients.size()) {
      const std::optional<Event> event = await_event(net);
      REQUIRE(event);
      const Accepted client = net.accept(listeners[event->token].get());
      REQUIRE(client.status == Accepted::Status::accepted);
      accepted.emplace_back(client.socket);
      served.insert(event->token);
    }
    CHECK(served.size() == listeners.size());
  }

  TEST_CASE("a second server on the port is refused although listeners share it") {
    const std::vector<OwnedSocket> listeners = own(*open_listeners(any_loopback_port(), 2));
    const Address address = address_of(listeners[0].get());
    CHECK(why_not(address) == "cannot listen on " + text_of(address) + ": Address already in use");
    CHECK(why_not(address, 2) ==
          "cannot listen on " + text_of(address) + ": Address already in use");
  }

  TEST_CASE("a port is free again at once although a connection of it lingers") {
    EpollNet net;
    OwnedSocket listener = open_listener();
    const Address address = address_of(listener.get());
    const OwnedSocket client = connect_to(address);
    const Accepted accepted = net.accept(listener.get());
    net.close(accepted.socket);  // the server closes first: its end stays in TIME_WAIT or FIN_WAIT
    listener = OwnedSocket();
    CHECK(own(*open_listeners(address, 2)).size() == 2);
  }

  TEST_CASE("an address that is not this machine's is an error that names it") {
    CHECK(why_not(*parse_address("192.0.2.1:80")) ==
          "cannot listen on 192.0.2.1:80: Cannot assign requested address");
  }

  TEST_CASE("a Unix socket is open to owner and group whatever the umask") {
    const ScratchDir dir;
    const mode_t old_mask = ::umask(0077);
    const OwnedSocket listener = open_listener(dir.socket_address());
    ::umask(old_mask);
    struct stat file;
    REQUIRE(::stat(dir.file().c_str(), &file) == 0);
    CHECK((file.st_mode & 0777) == 0660);

    EpollNet net;
    const OwnedSocket client = connect_to(dir.socket_address());
    const Accepted accepted = net.accept(listener.get());
    REQUIRE(accepted.status == Accepted::Status::accepted);
    const OwnedSocket server(accepted.socket);
    CHECK(net.peer_of(server.get()).family == Address::Family::unix_path);
    CHECK(address_of(listener.get()) == dir.socket_address());
  }

  TEST_CASE(
      "several listeners of a Unix socket share its clients and one that is closed hears no more") {
    const ScratchDir dir;
    std::vector<OwnedSocket> listeners = own(*open_listeners(dir.socket_address(), 2));
    REQUIRE(listeners.size() == 2);
    EpollNet first, second;
    REQUIRE(first.watch(listeners[0].get(), 1, Interest::read));
    REQUIRE(second.watch(listeners[1].get(), 2, Interest::read));
    const OwnedSocket one = connect_to(dir.socket_address());
    CHECK(first.poll(kPatienceNs).size() == 1);
    CHECK(second.poll(kPatienceNs).size() == 1);
    const OwnedSocket accepted(second.accept(listeners[1].get()).socket);
    CHECK(accepted.get() >= 0);
    CHECK(first.accept(listeners[0].get()).status == Accepted::Status::none);
    first.close(listeners[0].release());
    const OwnedSocket two = connect_to(dir.socket_address());
    CHECK(first.poll(0).empty());
    CHECK(second.poll(kPatienceNs).size() == 1);
  }

  TEST_CASE("an address is seen to be good or not while nobody listens there") {
    const ScratchDir dir;
    CHECK(check_address(any_loopback_port()));
    CHECK(check_address(dir.socket_address()));
    CHECK_FALSE(std::filesystem::exists(dir.file()));
    const OwnedSocket tcp = open_listener(any_loopback_port());
    CHECK(check_address(address_of(tcp.get())));  // in use
    const OwnedSocket local = open_listener(dir.socket_address());
    CHECK(check_address(dir.socket_address()));
    for (const char* text : {"192.0.2.1:80", "unix:/nowhere/s", "unix:/dev/null", "unix:/dev"}) {
      CAPTURE(text);
      const Address address = *parse_address(text);
      const Status checked = check_address(address);
      REQUIRE_FALSE(checked);
      CHECK(checked.error().message == why_not(address));
    }
  }

  TEST_CASE("the socket file of a dead server is replaced") {
    const ScratchDir dir;
    open_listener(dir.socket_address());  // closed at once; the file stays
    REQUIRE(std::filesystem::exists(dir.file()));
    const OwnedSocket listener = open_listener(dir.socket_address());
    connect_to(dir.socket_address());
  }

  TEST_CASE("the socket file of a living server stays his") {
    const ScratchDir dir;
    const OwnedSocket listener = open_listener(dir.socket_address());
    CHECK(why_not(dir.socket_address()) ==
          "cannot listen on unix:" + dir.file() + ": Address already in use");
    connect_to(dir.socket_address());
  }

  TEST_CASE("a file that is no socket is never removed") {
    const ScratchDir dir;
    std::ofstream(dir.file()) << "precious";
    CHECK(
        why_not(dir.socket_address()).starts_with("cannot replace what is not a socket at unix:"));
    CHECK(std::filesystem::file_size(dir.file()) == 8);
  }

  TEST_CASE("a missing directory is an error that names the path") {
    CHECK(why_not(*parse_address("unix:/nonexistent/dir/s.sock")) ==
          "cannot listen on unix:/nonexistent/dir/s.sock: No such file or directory");
  }

  TEST_CASE("a clean stop removes the socket file and nothing else") {
    const ScratchDir dir;
    const OwnedSocket listener = open_listener(dir.socket_address());
    remove_socket_file(any_loopback_port());
    CHECK(std::filesystem::exists(dir.file()));
    remove_socket_file(dir.socket_address());
    CHECK_FALSE(std::filesystem::exists(dir.file()));
  }

  TEST_CASE("a passed-in listener is made non-blocking and close-on-exec") {
    const OwnedSocket listener(::socket(AF_INET, SOCK_STREAM, 0));
    REQUIRE(::listen(listener.get(), 1) == 0);  // unbound: the kernel chooses a port
    const Result<Socket> adopted = adopt_listener(listener.get());
    REQUIRE(adopted);
    CHECK((::fcntl(*adopted, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(*adopted, F_GETFD) & FD_CLOEXEC) != 0);
  }

  TEST_CASE("what is passed in and does not listen for streams is refused") {
    const OwnedSocket connecting(::socket(AF_INET, SOCK_STREAM, 0));
    const OwnedSocket datagram(::socket(AF_INET, SOCK_DGRAM, 0));
    const OwnedSocket file(::open("/dev/null", O_RDONLY));
    CHECK_FALSE(adopt_listener(connecting.get()));
    CHECK_FALSE(adopt_listener(datagram.get()));
    CHECK_FALSE(adopt_listener(file.get()));
    CHECK_FALSE(adopt_listener(1 << 20));
  }
}
