# Ends what a killed `atoll run` leaves behind. Its input is a pipe that only that program holds: when the
# program dies, however it dies, the pipe ends. Lines: `up GROUP`, `down GROUP`, and `bye` when nothing is left.
# $1: mark of the run. It is in ATOLL_CHILD_OF of every child, so that also a child that was started in the
# last moment, or that left its group, is found (on Linux).
trap '' HUP INT QUIT TERM PIPE

groups=
while read -r word group; do
  case $word in
    up) groups="$groups $group" ;;
    down)
      left=
      for one in $groups; do
        [ "$one" = "$group" ] || left="$left $one"
      done
      groups=$left
      ;;
    bye) exit 0 ;;
  esac
done

for group in $groups; do
  kill -9 "-$group"
done 2>/dev/null

# Processes may fork while they are looked for: only a round that finds none is the last.
round=0
found=1
while [ -n "$found" ] && [ "$round" -lt 20 ]; do
  found=
  round=$((round + 1))
  for folder in /proc/[0-9]*; do
    if tr '\0' '\n' <"$folder/environ" | grep -q "^ATOLL_CHILD_OF=\(.*/\)\{0,1\}$1\."; then
      found=1
      kill -9 "${folder#/proc/}"
    fi
  done 2>/dev/null
done
