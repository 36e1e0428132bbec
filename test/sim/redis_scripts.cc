#include "redis_scripts.h"

#include <lua5.1/lua.hpp>

#include <cstdio>

#include "base/check.h"

namespace stampede::sim {
namespace {

// Of KEYS and ARGV.
void set_list(lua_State* lua, const char* name, std::span<const std::string> words) {
  lua_createtable(lua, static_cast<int>(words.size()), 0);
  int at = 0;
  for (const std::string& word : words) {
    lua_pushlstring(lua, word.data(), word.size());
    lua_rawseti(lua, -2, ++at);
  }
  lua_setglobal(lua, name);
}

// {err = …} or {ok = …}
void push_named(lua_State* lua, const char* name, const std::string& text) {
  lua_createtable(lua, 0, 1);
  lua_pushlstring(lua, text.data(), text.size());
  lua_setfield(lua, -2, name);
}

void push_reply(lua_State* lua, const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::nil:
      return lua_pushboolean(lua, 0);
    case Reply::Kind::integer:
      return lua_pushnumber(lua, static_cast<lua_Number>(reply.integer));
    case Reply::Kind::text:
      return lua_pushlstring(lua, reply.text.data(), reply.text.size());
    case Reply::Kind::status:
      return push_named(lua, "ok", reply.text);
    case Reply::Kind::error:
      return push_named(lua, "err", reply.text);
    case Reply::Kind::array:
      break;
  }
  lua_createtable(lua, static_cast<int>(reply.elements.size()), 0);
  int at = 0;
  for (const Reply& element : reply.elements) {
    push_reply(lua, element);
    lua_rawseti(lua, -2, ++at);
  }
}

std::string text_at(lua_State* lua, int index) {
  size_t length = 0;
  const char* const text = lua_tolstring(lua, index, &length);
  return {text, length};
}

// The text of a field of the table on top; false: it has none.
bool has_text(lua_State* lua, const char* name, std::string& text) {
  lua_pushstring(lua, name);
  lua_rawget(lua, -2);
  const bool is_there = lua_type(lua, -1) == LUA_TSTRING;
  if (is_there) text = text_at(lua, -1);
  lua_pop(lua, 1);
  return is_there;
}

// What a script returned, from the top of the stack, which stays.
Reply take_reply(lua_State* lua) {
  switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
      return Reply::of(text_at(lua, -1));
    case LUA_TNUMBER:
      return Reply::of(static_cast<int64_t>(lua_tonumber(lua, -1)));
    case LUA_TBOOLEAN:
      return lua_toboolean(lua, -1) != 0 ? Reply::of(int64_t{1}) : Reply();
    case LUA_TTABLE:
      break;
    default:
      return {};
  }
  Reply reply = Reply::array();
  if (has_text(lua, "err", reply.text)) reply.kind = Reply::Kind::error;
  if (reply.kind == Reply::Kind::array && has_text(lua, "ok", reply.text))
    reply.kind = Reply::Kind::status;
  // Up to the first nil.
  for (int at = 1; reply.kind == Reply::Kind::array; ++at) {
    lua_rawgeti(lua, -1, at);
    const bool is_over = lua_isnil(lua, -1);
    if (!is_over) reply.elements.push_back(take_reply(lua));
    lua_pop(lua, 1);
    if (is_over) break;
  }
  return reply;
}

// Words of a command; false: one is neither text nor number.
bool take_words(lua_State* lua, Words& words) {
  const int count = lua_gettop(lua);
  for (int at = 1; at <= count; ++at) {
    if (lua_type(lua, at) == LUA_TNUMBER) {
      char digits[64];
      const int length = std::snprintf(digits, sizeof digits, "%.17g", lua_tonumber(lua, at));
      words.emplace_back(digits, static_cast<size_t>(length));
    } else if (lua_type(lua, at) == LUA_TSTRING) {
      words.push_back(text_at(lua, at));
    } else {
      return false;
    }
  }
  return true;
}

Reply run_command(const Words& words, ScriptHost& host) {
  std::string name = words[0];
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (name == "INFO") return Reply::of(host.info);
  if (RedisStore::is_write(name)) {
    const bool is_allowed = host.refused_writes.starts_with("OOM ") &&
                            (host.has_written || !RedisStore::takes_memory(name));
    if (!host.refused_writes.empty() && !is_allowed) return Reply::error(host.refused_writes);
    host.has_written = true;
  }
  Words named = words;
  named[0] = std::move(name);
  return host.store.run(named, host.effects);
}

}  // namespace

// Lua raises errors by longjmp, so that no C++ object may be alive in a frame that raises one.
struct ScriptEngine::Hooks {
  // Leaves the answer on the stack; true: it is an error.
  static bool answer(lua_State* lua) {
    const auto& engine = *static_cast<ScriptEngine*>(lua_touserdata(lua, lua_upvalueindex(1)));
    Words words;
    Reply reply;
    if (lua_gettop(lua) == 0)
      reply = Reply::error("ERR Please specify at least one argument for this redis.call() call");
    else if (!take_words(lua, words))
      reply = Reply::error("ERR Lua redis lib command arguments must be strings or integers");
    else
      reply = run_command(words, *engine.host_);
    push_reply(lua, reply);
    return reply.is_error();
  }
  static int pcall(lua_State* lua) {
    (void)answer(lua);
    return 1;
  }
  static int call(lua_State* lua) {
    if (!answer(lua)) return 1;
    // Where it happened, as Redis tells behind the error.
    lua_Debug where{};
    if (lua_getstack(lua, 1, &where) != 0 && lua_getinfo(lua, "Sl", &where) != 0) {
      lua_pushfstring(lua, " on @user_script:%d.", where.currentline);
      lua_setfield(lua, -2, "place");
    }
    return lua_error(lua);
  }
  static int named(lua_State* lua, const char* name) {
    if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING)
      return luaL_error(lua, "wrong number or type of arguments");
    lua_createtable(lua, 0, 1);
    lua_pushvalue(lua, 1);
    lua_setfield(lua, -2, name);
    return 1;
  }
  static int error_reply(lua_State* lua) { return named(lua, "err"); }
  static int status_reply(lua_State* lua) { return named(lua, "ok"); }
  // A global that no script has made: Redis refuses it, for it is mostly a misspelt local.
  static int no_global(lua_State* lua) {
    return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'",
                      lua_tostring(lua, 2));
  }
  static int no_new_global(lua_State* lua) {
    return luaL_error(lua, "Attempt to modify a readonly table");
  }
};

ScriptEngine::ScriptEngine() : lua_(luaL_newstate(), lua_close) {
  lua_State* const lua = lua_.get();
  CHECK(lua != nullptr);
  luaL_openlibs(lua);
  lua_newtable(lua);
  const std::pair<const char*, lua_CFunction> functions[] = {
      {"call", &Hooks::call},
      {"pcall", &Hooks::pcall},
      {"error_reply", &Hooks::error_reply},
      {"status_reply", &Hooks::status_reply},
  };
  for (const auto& [name, function] : functions) {
    lua_pushlightuserdata(lua, this);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -2, name);
  }
  lua_setglobal(lua, "redis");
  set_list(lua, "KEYS", {});
  set_list(lua, "ARGV", {});
  lua_newtable(lua);
  lua_pushcfunction(lua, &Hooks::no_global);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, &Hooks::no_new_global);
  lua_setfield(lua, -2, "__newindex");
  lua_setmetatable(lua, LUA_GLOBALSINDEX);
}

ScriptEngine::~ScriptEngine() = default;

int ScriptEngine::compile(std::string_view source) {
  lua_State* const lua = lua_.get();
  if (luaL_loadbuffer(lua, source.data(), source.size(), "@user_script") != 0)
    fatal(kExitFailure, "a script does not compile: %s", lua_tostring(lua, -1));
  return luaL_ref(lua, LUA_REGISTRYINDEX);
}

Reply ScriptEngine::run(cluster::Script script, const std::string& key,
                        std::span<const std::string> arguments, ScriptHost& host) {
  int& chunk = chunks_[static_cast<unsigned>(script)];
  if (chunk == 0) {
    const auto planted = planted_.find(script);
    chunk = compile(planted == planted_.end() ? cluster::source_of(script) : planted->second);
  }
  return run_chunk(chunk, key, arguments, host);
}

Reply ScriptEngine::run(std::string_view source, const std::string& key,
                        std::span<const std::string> arguments, ScriptHost& host) {
  auto chunk = other_chunks_.find(source);
  if (chunk == other_chunks_.end()) chunk = other_chunks_.emplace(source, compile(source)).first;
  return run_chunk(chunk->second, key, arguments, host);
}

Reply ScriptEngine::run_chunk(int chunk, const std::string& key,
                              std::span<const std::string> arguments, ScriptHost& host) {
  lua_State* const lua = lua_.get();
  lua_rawgeti(lua, LUA_REGISTRYINDEX, chunk);
  set_list(lua, "KEYS", {&key, 1});
  set_list(lua, "ARGV", arguments);
  host_ = &host;
  const bool is_done = lua_pcall(lua, 0, 1, 0) == 0;
  host_ = nullptr;
  Reply reply;
  if (is_done) {
    reply = take_reply(lua);
  } else if (std::string text; lua_istable(lua, -1) && has_text(lua, "err", text)) {
    std::string place;
    (void)has_text(lua, "place", place);
    reply = Reply::error(text + " script: simulated," + place);
  } else {
    reply = Reply::error("ERR " + (lua_isstring(lua, -1) ? text_at(lua, -1) : "") +
                         " script: simulated");
  }
  lua_settop(lua, 0);
  return reply;
}

void ScriptEngine::plant(cluster::Script script, std::string_view piece, std::string_view other) {
  std::string& text = planted_[script];
  if (text.empty()) text = cluster::source_of(script);
  const size_t at = text.find(piece);
  CHECK(at != text.npos);
  CHECK(text.find(piece, at + 1) == text.npos);
  text.replace(at, piece.size(), other);
  chunks_[static_cast<unsigned>(script)] = 0;
}

}  // namespace stampede::sim
