<?php
// Sends the requests of Intercom's official PHP client, and reads the answers as that client does:
// `php main.php SANDBOX LIMITED`. Not every machine reaches the client's registry. So this program
// writes the requests itself, as Guzzle writes them for `IntercomClient`, over the same curl.

declare(strict_types=1);

/** What Guzzle throws for a status from 400 on. */
final class Refused extends Exception
{
    public function __construct(public readonly int $status, public readonly ?stdClass $body, public readonly array $rateLimit)
    {
        parent::__construct($body->errors[0]->message ?? "status {$status}");
    }
}

/** One client with one token. */
final class Client
{
    public function __construct(private string $base, private string $token, private ?string $version = null)
    {
    }

    public function get(string $endpoint, array $query = []): ?stdClass
    {
        return $this->request('GET', $this->base . "/{$endpoint}" . ($query ? '?' . http_build_query($query) : ''));
    }

    /** Follows an address as it came. */
    public function nextPage(stdClass $pages): ?stdClass
    {
        return $this->request('GET', $pages->next);
    }

    public function send(string $method, string $endpoint, array $json): ?stdClass
    {
        return $this->request($method, $this->base . "/{$endpoint}", json_encode($json, JSON_THROW_ON_ERROR));
    }

    private function request(string $method, string $url, ?string $body = null): ?stdClass
    {
        $headers = ['Accept: application/json', 'User-Agent: GuzzleHttp/7', 'Expect:'];
        if ($this->version !== null) {
            $headers[] = "Intercom-Version: {$this->version}";
        }
        if ($body !== null) {
            $headers[] = 'Content-Type: application/json';
        }
        $answered = [];
        $curl = curl_init($url);
        curl_setopt_array($curl, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers,
            // The access token is the user name of HTTP Basic, without a password.
            CURLOPT_USERPWD => "{$this->token}:",
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 30,
            CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$answered): int {
                [$name, $value] = array_pad(explode(':', $line, 2), 2, '');
                $answered[strtolower(trim($name))] = trim($value);
                return strlen($line);
            },
        ]);
        if ($body !== null) {
            curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
        }
        $text = curl_exec($curl);
        if ($text === false) {
            throw new RuntimeException(curl_error($curl));
        }
        $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        $data = json_decode($text);
        if ($status >= 400) {
            $limits = array_map(fn(string $name): int => (int) ($answered["x-ratelimit-{$name}"] ?? -1), ['limit', 'remaining', 'reset']);
            throw new Refused($status, $data, $limits);
        }
        return $data;
    }
}

$failures = 0;

function check(string $name, callable $body): void
{
    global $failures;
    $reason = null;
    try {
        $body();
    } catch (Throwable $error) {
        $failures += 1;
        $reason = (string) $error;
    }
    echo json_encode(['check' => $name, 'reason' => $reason], JSON_UNESCAPED_UNICODE), "\n";
}

function equal(mixed $actual, mixed $expected, string $about = ''): void
{
    if ($actual !== $expected) {
        throw new Exception("{$about}: expected " . json_encode($expected) . ', got ' . json_encode($actual));
    }
}

function refused(int $status, string $code, callable $call): Refused
{
    try {
        $call();
    } catch (Refused $error) {
        equal([$error->status, $error->body?->type, $error->body?->errors[0]->code], [$status, 'error.list', $code], $error->getMessage());
        return $error;
    }
    throw new Exception("expected {$status} {$code}");
}

[, $sandbox, $limited] = $argv;
$token = getenv('INTERCOM_API_KEY');
$client = new Client($sandbox, $token);
$now = time();
echo json_encode(['client' => 'intercom-php, as it writes']), "\n";

check('me: the admin and its app', function () use ($client): void {
    $me = $client->get('me');
    equal([$me->type, $me->app->type], ['admin', 'app']);
});

check('wrong token: an error list', function () use ($sandbox): void {
    refused(401, 'unauthorized', fn() => (new Client($sandbox, 'of-nobody'))->get('me'));
});

check('versions: old and new ones', function () use ($sandbox, $token): void {
    foreach (['1.4', '2.0', '2.6', '2.11', 'Unstable'] as $version) {
        equal((new Client($sandbox, $token, $version))->get('me')->type, 'admin', $version);
    }
    refused(400, 'intercom_version_invalid', fn() => (new Client($sandbox, $token, '9.9'))->get('me'));
});

check('contacts: created, found, changed, listed', function () use ($client): void {
    $made = $client->send('POST', 'contacts', ['role' => 'user', 'external_id' => 'writer 1 + ü', 'email' => 'writer@example.com']);
    equal($client->get("contacts/{$made->id}")->email, 'writer@example.com');
    $changed = $client->send('PUT', "contacts/{$made->id}", ['name' => 'Ada', 'custom_attributes' => ['plan' => 'pro']]);
    equal([$changed->name, $changed->custom_attributes->plan], ['Ada', 'pro']);
    $listed = $client->get('contacts', ['per_page' => 50]);
    equal(in_array($made->id, array_column($listed->data, 'id'), true), true);
    equal($client->get("contacts/{$made->id}/tags")->data, []);
});

check('contacts: one that exists is a conflict with its id', function () use ($client): void {
    $made = $client->send('POST', 'contacts', ['role' => 'user', 'external_id' => 'twice']);
    $error = refused(409, 'conflict', fn() => $client->send('POST', 'contacts', ['role' => 'user', 'external_id' => 'twice']));
    equal(substr($error->getMessage(), -strlen("id={$made->id}")), "id={$made->id}");
});

check('events: accepted without a body, and listed in pages', function () use ($client, $now): void {
    $client->send('POST', 'contacts', ['role' => 'user', 'external_id' => 'sender']);
    for ($age = 0; $age < 3; $age += 1) {
        $event = ['event_name' => "event_{$age}", 'created_at' => $now - $age, 'user_id' => 'sender',
            'metadata' => ['order' => ['url' => 'https://example.com/7', 'value' => '7']]];
        equal($client->send('POST', 'events', $event), null);
    }
    $names = [];
    $page = $client->get('events', ['type' => 'user', 'user_id' => 'sender', 'per_page' => 2]);
    while (true) {
        array_push($names, ...array_column($page->events, 'event_name'));
        if (!isset($page->pages->next)) {
            break;
        }
        $page = $client->nextPage($page->pages);
    }
    equal($names, ['event_0', 'event_1', 'event_2']);
});

check('events: an unknown user is refused', function () use ($client, $now): void {
    $event = ['event_name' => 'e', 'created_at' => $now, 'user_id' => 'nobody'];
    $error = refused(404, 'not_found', fn() => $client->send('POST', 'events', $event));
    equal($error->getMessage(), 'User Not Found');
});

check('search: filters, and the next page', function () use ($client): void {
    for ($index = 0; $index < 3; $index += 1) {
        $client->send('POST', 'contacts', ['role' => 'user', 'external_id' => "found-{$index}"]);
    }
    $ids = [];
    $after = null;
    do {
        $page = $client->send('POST', 'contacts/search', [
            'query' => ['field' => 'external_id', 'operator' => '^', 'value' => 'found-'],
            'sort' => ['field' => 'external_id', 'order' => 'ascending'],
            'pagination' => ['per_page' => 2, 'starting_after' => $after],
        ]);
        array_push($ids, ...array_column($page->data, 'external_id'));
        $after = $page->pages->next->starting_after ?? null;
    } while ($after !== null);
    equal($ids, ['found-0', 'found-1', 'found-2']);
});

check('merge: a lead into a user', function () use ($client, $sandbox, $token): void {
    $lead = $client->send('POST', 'contacts', ['role' => 'lead', 'email' => 'merged@example.com']);
    $user = $client->send('POST', 'contacts', ['role' => 'user', 'email' => 'merged@example.com']);
    equal($client->send('POST', 'contacts/merge', ['from' => $lead->id, 'into' => $user->id])->id, $user->id);
    refused(410, 'contact_merged', fn() => $client->get("contacts/{$lead->id}"));
    $older = new Client($sandbox, $token, '2.11');
    refused(404, 'not_found', fn() => $older->get("contacts/{$lead->id}"));
});

check('retiring: archived, and deleted with a body', function () use ($client): void {
    $user = $client->send('POST', 'contacts', ['role' => 'user', 'external_id' => 'retired']);
    // PHP writes an empty object as [].
    equal($client->send('POST', "contacts/{$user->id}/archive", [])->archived, true);
    equal($client->send('POST', "contacts/{$user->id}/unarchive", [])->archived, false);
    equal($client->send('DELETE', "contacts/{$user->id}", [])->deleted, true);
    refused(404, 'not_found', fn() => $client->get("contacts/{$user->id}"));
});

check('rate limit: its headers, and an error beyond it', function () use ($limited, $token, $now): void {
    $few = new Client($limited, $token);
    for ($times = 0; $times < 20; $times += 1) {
        try {
            $few->get('me');
        } catch (Refused $error) {
            equal([$error->status, $error->body->errors[0]->code], [429, 'rate_limit_exceeded']);
            [$limit, $remaining, $reset] = $error->rateLimit;
            equal([$limit, $remaining], [3, 0]);
            equal($reset >= $now - 1 && $reset <= time() + 11, true, 'the reset');
            return;
        }
    }
    throw new Exception('twenty requests were all allowed');
});

exit($failures === 0 ? 0 : 1);
