#!/usr/bin/env bash
# The work of action.yml, with a runner's environment: RUNNER_TEMP, GITHUB_PATH, GITHUB_OUTPUT,
# GITHUB_STEP_SUMMARY, GITHUB_ACTION_REPOSITORY and GITHUB_ACTION_REF, the inputs as EL2_ACTION_*,
# and EL2_GUESTS_CACHED=true if a cache of exactly these guests was restored.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
  echo "::error title=el2::$1"
  exit 2
}

# A name of npm's registry is never installed: el2 is not there, and the name may be anybody's.
package=$EL2_ACTION_PACKAGE
if [[ -z $package ]]; then
  tag=${GITHUB_ACTION_REF:-}
  [[ $tag =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] ||
    fail "the action installs the el2 of its own tag, and \"$tag\" is not one; use OWNER/el2@vX.Y.Z, or set package to a file of a release"
  package=https://github.com/$GITHUB_ACTION_REPOSITORY/releases/download/$tag/el2-${tag#v}.tgz
elif [[ -f $package ]]; then
  [[ $package == /* ]] || package=./$package
elif [[ $package != https://* ]]; then
  fail "package \"$package\" is neither a file nor an https address; el2 is not on npm, so that a name is not installed"
fi

echo "::group::Install $package"
prefix=$RUNNER_TEMP/el2
npm install --global --prefix "$prefix" --no-audit --no-fund -- "$package"
# Programs are in the prefix itself on Windows.
bin=$prefix/bin
[[ -d $bin ]] || bin=$prefix
export PATH="$bin:$PATH" EL2_CACHE="$RUNNER_TEMP/el2-cache"
echo "$bin" >> "$GITHUB_PATH"
el2 version
echo "::endgroup::"

# Names do not tell which guests are there: debian-bookworm is not debian --release trixie.
if [[ ${EL2_GUESTS_CACHED:-} == true ]] && el2 guests ls --check; then
  echo "The guests are in the cache"
else
  while read -r -a guest; do
    if (( ${#guest[@]} )); then
      echo "::group::Fetch ${guest[*]}"
      el2 guests fetch "${guest[@]}"
      echo "::endgroup::"
    fi
  done <<< "$EL2_ACTION_GUESTS"
fi

shopt -s nullglob
shopt -s globstar 2> /dev/null || true # bash 3.2 of macOS has no **
# Patterns, which the shell expands.
files=($EL2_ACTION_SCENARIOS)
(( ${#files[@]} > 0 )) || fail "no file matches $EL2_ACTION_SCENARIOS"
# A pull request chooses the names of files: none is an option.
files=("${files[@]/#-/./-}")

results=$EL2_ACTION_RESULTS
mkdir -p "$results"
junit=$results/junit.xml
rm -f "$junit"
options=(--junit "$junit" --results "$results")
while IFS= read -r path; do
  [[ -z $path ]] || options+=(--allow-host "$path")
done <<< "$EL2_ACTION_ALLOW_HOST"
[[ -z $EL2_ACTION_SHARD ]] || options+=(--shard "$EL2_ACTION_SHARD")
[[ -z $EL2_ACTION_DURATIONS ]] || options+=(--durations "$EL2_ACTION_DURATIONS")
status=0
# What guests print must not be commands of the runner (::command, and ##[command] anywhere in a
# line): it takes none until it reads a word that no guest knows. Both outputs are one, so that none
# comes after that.
word=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$word"
el2 test "${options[@]}" -- "${files[@]}" 2>&1 || status=$?
# For whoever has no el2, a failure is also a page: ten at most, as each has the engine in it.
pages=0
for recording in "$results"/*.rec; do
  (( pages++ < 10 )) || break
  # One that has no page is still a recording.
  el2 publish -- "$recording" "${recording%.rec}.page" 2>&1 || true
done
printf '\n::%s::\n' "$word"
if [[ -f $junit ]]; then
  node "$here/annotations.cjs" "$junit" "$GITHUB_STEP_SUMMARY"
  { echo "junit=$junit"; echo "results=$results"; } >> "$GITHUB_OUTPUT"
fi
exit "$status"
