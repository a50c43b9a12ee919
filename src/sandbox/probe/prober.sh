# Runs inside the container. Arguments: four limits in seconds, the word that the canary listens for, then three for each
# probe: what it does, and two that say with what. Prints `INDEX<tab>WORD<tab>DETAIL` for each. Needs bash and timeout, which
# every image of Postgres with an entrypoint like the official one has; getent and perl where there are any.
connect_seconds=$1 control_seconds=$2 resolve_seconds=$3 starting_seconds=$4 token=$5; shift 5
has() { command -v "$1" >/dev/null; }

resolve() {
  if has getent; then
    found=$(timeout "$resolve_seconds" getent ahosts "$1"); status=$?
    case $status in
      0|2|124|137|143) ;;
      *) found=$(timeout "$resolve_seconds" getent hosts "$1"); status=$? ;;
    esac
    if [ $status -eq 0 ]; then printf 'resolved\t%s' "${found%%[[:space:]]*}"; else printf 'unresolved\t'; fi
  else
    said=$(timeout "$resolve_seconds" bash -c 'exec 3<>"/dev/tcp/$0/9"' "$1" 2>&1)
    case $said in
      *[Nn]ame*resol*|*"not known"*|*"Try again"*|*"No address"*) printf 'unresolved\t' ;;
      *) printf 'resolved\t' ;;
    esac
  fi
}

connect() {
  # It says `x` once it begins: one that was too late to begin, on a busy machine, has tried nothing.
  while :; do
    said=$(timeout "$connect_seconds" bash -c 'printf x; exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1); status=$?
    case $said in x*) said=${said#x}; break ;; esac
    [ "$SECONDS" -lt "$control_seconds" ] || { printf 'error\tnot begun within %s s' "$control_seconds"; return; }
    sleep 0.2
  done
  case $status in
    0) printf 'connected\t' ;;
    124|137|143) printf 'timeout\t' ;;
    *) case $said in
         *refused*) printf 'refused\t' ;;
         *nreachable*|*"No route"*) printf 'noroute\t' ;;
         *[Nn]ame*resol*|*"not known"*|*"Try again"*|*"No address"*) printf 'unresolved\t' ;;
         *) printf 'error\t%s' "$(printf %s "$said" | head -n 1 | tr '\t\r' '  ')" ;;
       esac ;;
  esac
}

# The server may still be starting: until it listens, it refuses.
control() {
  connect_seconds=$control_seconds
  while :; do
    answer=$(connect "$1" "$2")
    case $answer in
      refused*) [ "$SECONDS" -lt "$starting_seconds" ] || break ;;
      timeout*|unresolved*) [ "$SECONDS" -lt "$control_seconds" ] || break ;;
      *) break ;;
    esac
    sleep 0.2
  done
  printf %s "$answer"
}

# Out of every interface but the loopback, which leads nowhere: bound to it, which older kernels allow the privileged only, and by
# the options that need no privilege. By the routes and past them, and twice: the first may be lost while an address is looked
# up. Prints how often the kernel took one.
sender='use Socket;
my ($host, $port, $text) = @ARGV;
my $to = pack_sockaddr_in($port, inet_aton($host));
my @ways = ([]);
opendir my $interfaces, "/sys/class/net";
for my $name (grep { !/^\./ && $_ ne "lo" } readdir $interfaces) {
  push @ways, [[SOL_SOCKET, 25, "$name\0"]]; # SO_BINDTODEVICE
  open my $file, "<", "/sys/class/net/$name/ifindex" or next;
  chomp(my $number = <$file>);
  # IP_UNICAST_IF and IP_MULTICAST_IF
  push @ways, [[0, 50, pack("N", $number)], [0, 32, pack("x8 i", $number)]];
}
my $sent = 0;
for my $round (1, 2) {
  for my $way (@ways) {
    for my $past_routes (0, 1) {
      socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "$!\n";
      setsockopt($socket, SOL_SOCKET, SO_BROADCAST, 1);
      next if grep { !setsockopt($socket, $_->[0], $_->[1], $_->[2]) } @$way;
      setsockopt($socket, SOL_SOCKET, SO_DONTROUTE, 1) if $past_routes;
      $sent++ if defined send($socket, $text, 0, $to);
    }
  }
  select(undef, undef, undef, 0.2) if $round == 1;
}
print $sent;'

# As above, over IPv6: where no interface has an address of it, there is nothing to send from.
datagram6() {
  sent=0
  for interface in /sys/class/net/*; do
    [ "${interface##*/}" = lo ] && continue
    (printf %s "$text" >"/dev/udp/$1%${interface##*/}/$2") 2>/dev/null && sent=1
  done
  if [ $sent = 1 ]; then printf 'sent\t'
  elif grep -qsv ' lo$' /proc/net/if_inet6; then printf 'error\tcould not be sent, though an interface has IPv6'
  else printf 'unsent\tno interface has IPv6'; fi
}

# Whether anything arrived, only the canary knows. What was not sent could not arrive.
datagram() {
  text="$token $index"
  if [ "$1" = ff02::1 ]; then datagram6 "$1" "$2"; return; fi
  routed=unsent
  (printf %s "$text" >"/dev/udp/$1/$2") 2>/dev/null && routed=sent
  if ! has perl; then
    # Without it there is no way to ask for a broadcast.
    if [ "$1" = 255.255.255.255 ]; then printf 'untried\t'; else printf '%s\tby its routes only' $routed; fi
  elif said=$(timeout "$control_seconds" perl -e "$sender" "$1" "$2" "$text" 2>&1); then
    if [ "$said" != 0 ]; then routed=sent; fi
    printf '%s\t' $routed
  else
    printf 'error\t%s' "$(printf %s "$said" | head -n 1 | tr '\t\r' '  ')"
  fi
}

# The interfaces that are up, besides the loopback. New namespaces may have others, which are down and stay so.
interfaces() {
  [ -r /sys/class/net/lo/flags ] || { printf 'error\t/sys/class/net cannot be read'; return; }
  up=
  for interface in /sys/class/net/*; do
    name=${interface##*/}; [ "$name" = lo ] && continue
    flags=$(cat "$interface/flags" 2>/dev/null) || flags=1
    if (( flags & 1 )); then up+=" $name"; fi
  done
  printf 'interfaces\t%s' "${up# }"
}

# Whether a socket of a family can be opened. Nothing is sent through it.
family() {
  has perl || { printf 'untried\t'; return; }
  why=$(perl -e 'use Socket; socket(my $s, shift, SOCK_STREAM, 0) or print $! || "no reason"' "$1" 2>&1) || why="ended: $why"
  if [ -z "$why" ]; then printf 'opened\t'; else printf 'closed\t%s' "$why"; fi
}

index=0
while [ $# -gt 0 ]; do
  ( answer=$("$1" "$2" "$3"); printf '%s\t%s\n' "$index" "$answer" ) &
  index=$((index + 1)); shift 3
done
wait
