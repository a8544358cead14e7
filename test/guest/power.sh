# What is said here on the serial line, the test on the host remembers: "try KIND NAME" before a command, and when that has
# reported success "has KIND NAME ID" or "not KIND NAME". Then the plug is pulled, and all of it has to be true still.
registry=127.0.0.1:5000
try() { echo "try $1 $2"; }
has() { echo "has $1 $2 $3"; }
not() { echo "not $1 $2"; }
failed() { echo "failed: $*"; }
image_id() { bocker inspect --type image -f '{{.Id}}' "$1"; }

echo
echo "== repair"
bocker ps -q
# What nobody knows of is left where a command was cut off that had not recorded it yet: nothing is to be lost.
echo "== check"
bocker system check --repair | grep -v 'belongs to no image'
echo "== check again"
bocker system check
echo "== images"
bocker images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | grep -v ^host:
echo "== containers"
bocker ps -a --no-trunc --format '{{.Names}} {{.ID}}'
echo "== volumes"
bocker volume ls -q
echo "== whole"
# Each image from its blobs; those of the last round as a root, and what their containers have ended with.
for image in $(bocker images --no-trunc --format '{{.Repository}} {{.ID}}' | grep -v '^host ' | sort -u -k 2 | cut -d ' ' -f 2); do
	bocker save "$image" > /dev/null || failed "save $image"
done
for image in $(bocker images --format '{{.Repository}}:{{.Tag}}' | grep -v ^host: | head -n 4); do
	bocker run --rm --network none "$image" cat /number > /dev/null || failed "run $image"
done
for name in $(bocker ps -a --format '{{.Names}}' | head -n 3); do
	bocker start "$name" > /dev/null && bocker wait "$name" > /dev/null || failed "start $name"
done
echo "== work"
docker-registry serve /etc/registry.json > /dev/null 2>&1 &
first=$(date +%s)
round=0
while :; do
	round=$((round + 1))
	n=$first-$round
	# Of the tree that becomes an image: a new file, and more than one block of it.
	mkdir -p /tmp/tree/etc
	ln -f /bin/busybox /tmp/tree/busybox 2> /dev/null || cp /bin/busybox /tmp/tree/busybox
	mkdir -p /tmp/tree/bin
	for applet in sh cat; do ln -sf ../busybox /tmp/tree/bin/$applet; done
	seq 1 3000 > /tmp/tree/etc/lines
	echo "$n" > /tmp/tree/number

	try image "init-$n:latest"
	id=$(bocker init /tmp/tree "init-$n") && has image "init-$n:latest" "$id" || failed init
	try container "run-$n"
	bocker run --name "run-$n" --network none "init-$n" sh -c "echo $n > /number; echo out" > /dev/null || failed run
	has container "run-$n" "$(bocker inspect -f '{{.Id}}' "run-$n")"
	try image "commit-$n:latest"
	id=$(bocker commit "run-$n" "commit-$n") && has image "commit-$n:latest" "$id" || failed commit
	try volume "volume-$n"
	bocker volume create "volume-$n" > /dev/null && has volume "volume-$n" - || failed volume

	for image in power-a:1 power-b:1; do
		try image "$registry/$image"
		bocker pull -q "$registry/$image" > /dev/null && has image "$registry/$image" "$(image_id "$registry/$image")" || failed pull
	done
	try image "tag-$n:latest"
	bocker tag "init-$n" "tag-$n" && has image "tag-$n:latest" "$(image_id "init-$n")" || failed tag
	bocker run --rm --network none "commit-$n" cat /number > /dev/null || failed "run --rm"
	try container "created-$n"
	id=$(bocker create --name "created-$n" --network none "init-$n" cat /number) && has container "created-$n" "$id" || failed create

	# Half of the rounds take everything away again.
	[ $((round % 2)) = 0 ] || continue
	for kind in run created; do
		try container "$kind-$n"
		bocker rm "$kind-$n" > /dev/null && not container "$kind-$n" || failed rm
	done
	try volume "volume-$n"
	bocker volume rm "volume-$n" > /dev/null && not volume "volume-$n" || failed "volume rm"
	for image in "commit-$n:latest" "tag-$n:latest" "init-$n:latest" $registry/power-a:1 $registry/power-b:1; do
		try image "$image"
		bocker rmi "$image" > /dev/null && not image "$image" || failed "rmi $image"
	done
done
