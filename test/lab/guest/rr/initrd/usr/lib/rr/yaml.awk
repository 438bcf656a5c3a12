# yaml.awk: gets, sets and deletes a key of block style YAML, and keeps every other line. op: get, map, keys, set, delete.

function bare(text) {
  if (text ~ /^".*"$/ || text ~ /^'.*'$/) return substr(text, 2, length(text) - 2)
  return text
}
# Quoted where it was, and where YAML would take it for something else than a string.
function quoted(text, old) {
  if (text == "{}") return text
  if (old ~ /^"/) return "\"" text "\""
  if (text == "" || text ~ /^(true|false|null|~)$/ || text ~ /^[-+]?([0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+)$/ ||
    text ~ /^[-#&*!|>'"%@`,{}\[\]]/ || text ~ /: |:$| #/) return "\"" text "\""
  return text
}
function indent(line) { match(line, /^ */); return RLENGTH }
function key(line) { sub(/^ */, "", line); sub(/:( .*)?$/, "", line); return bare(line) }
function rest(line) { return line ~ /: ./ ? substr(line, index(line, ": ") + 2) : "" }
function content(line) { return line !~ /^ *(#.*)?$/ }
# The last line of what is below line `at`.
function last(at, i, end) {
  end = at
  for (i = at + 1; i <= n; i++) {
    if (!content(lines[i])) continue
    if (indent(lines[i]) <= indent(lines[at])) break
    end = i
  }
  return end
}
# The line of `name` among those from..to that stand as far to the right as the first one; 0: none.
function find(name, from, to, i, depth) {
  depth = -1
  for (i = from; i <= to; i++) {
    if (!content(lines[i])) continue
    if (depth < 0) depth = indent(lines[i])
    if (indent(lines[i]) == depth && key(lines[i]) == name) return i
  }
  return 0
}
function insert(after, text, i) {
  for (i = n; i > after; i--) lines[i + 1] = lines[i]
  lines[after + 1] = text
  n++
}
function remove(from, to, i) {
  for (i = to + 1; i <= n; i++) lines[i - (to - from + 1)] = lines[i]
  n -= to - from + 1
}

{ lines[++n] = $0 }

END {
  while (path != "") {
    if (path ~ /^"/) { match(path, /^"[^"]*"/); parts[++count] = substr(path, 2, RLENGTH - 2) }
    else { match(path, /^[^.]*/); parts[++count] = substr(path, 1, RLENGTH) }
    path = substr(path, RLENGTH + 2)
  }
  from = 1; to = n
  for (i = 1; i <= count; i++) {
    at = find(parts[i], from, to)
    if (!at && op != "set") break
    if (!at) {
      if (parent) sub(/: *\{\}$/, ":", lines[parent])
      at = to + 1
      insert(to, sprintf("%" 2 * (i - 1) "s", "") parts[i] ":")
    }
    parent = at; from = at + 1; to = last(at)
  }
  if (op == "get" && at) {
    if (rest(lines[at]) != "" || to == at) print bare(rest(lines[at]))
    else for (i = from; i <= to; i++) print substr(lines[i], indent(lines[from]) + 1)
  }
  if ((op == "map" || op == "keys") && at) {
    for (i = from; i <= to; i++)
      if (content(lines[i]) && indent(lines[i]) == indent(lines[from]))
        print key(lines[i]) (op == "map" ? ": " bare(rest(lines[i])) : "")
  }
  if (op == "set") {
    if (to > at) remove(from, to)
    old = rest(lines[at])
    sub(/:( .*)?$/, ": ", lines[at])
    lines[at] = lines[at] quoted(value, old)
  }
  if (op == "delete" && at) {
    remove(at, to)
    if (count > 1 && last(parent = at - 1) == parent && lines[parent] ~ /:$/) lines[parent] = lines[parent] " {}"
  }
  if (op == "set" || op == "delete") for (i = 1; i <= n; i++) print lines[i]
}
