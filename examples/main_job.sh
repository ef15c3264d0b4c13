#!/bin/sh
# The main job from the shell, for real, in a temporary folder: two stores get names, one secret is changed in both, the
# stores are compared, and what expires soon is found. Needs the extras secretbridge[cli,dotenv].
set -eu
examples=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$examples/example.env" "$folder/app.env"
chmod 600 "$folder/app.env"
cd "$folder"
export SECRETBRIDGE_VAULT="$folder/vault.db" SECRETBRIDGE_VAULT_KEY_FILE="$folder/vault.key"

# Two stores: the embedded vault, and a dotenv file.
secretbridge init --no-connection --quiet
secretbridge connections add app --provider dotenv --option path=app.env
secretbridge connections check

# One secret in both. Its value is on no command line, and shown nowhere.
secretbridge create OAUTH_TOKEN --to vault --from app:OAUTH_TOKEN --description "refreshed every hour"
secretbridge update OAUTH_TOKEN --to vault --generate --expires-at 20d --verify
secretbridge update OAUTH_TOKEN --to app --from vault:OAUTH_TOKEN

# What the dotenv file cannot keep is refused before anything is written.
secretbridge update OAUTH_TOKEN --to app --expires-at 20d || echo "That was refused with exit code $?."

secretbridge diff vault app
secretbridge list vault
secretbridge expiring --within 30d
