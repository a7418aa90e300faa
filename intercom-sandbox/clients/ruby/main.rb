# Sends the requests of Intercom's official Ruby gem, and reads the answers as the gem does: `ruby
# main.rb SANDBOX LIMITED`. Not every machine reaches the gem's registry. So this program writes the
# requests itself, header by header as `Intercom::Request`, over the same Net::HTTP.

require 'cgi'
require 'json'
require 'net/http'
require 'stringio'
require 'zlib'

# The gem's error for an error list.
class Refused < StandardError
  attr_reader :status, :code, :rate_limit

  def initialize(status, error, rate_limit)
    super(error['message'])
    @status = status
    @code = error['type'] || error['code']
    @rate_limit = rate_limit
  end
end

# A client with one token.
class Client
  # The headers of the gem, which accepts no other form of JSON.
  HEADERS = { 'Accept-Encoding' => 'gzip, deflate', 'Accept' => 'application/vnd.intercom.3+json',
              'User-Agent' => 'Intercom-Ruby/4.2.1' }.freeze

  attr_reader :rate_limit

  def initialize(base_url, token, version: nil)
    @base = URI.parse(base_url)
    @token = token
    @version = version
  end

  def get(path, params = {})
    query = params.map { |key, value| "#{key}=#{CGI.escape(value.to_s)}" }.join('&')
    run(Net::HTTP::Get.new(params.empty? ? path : "#{path}?#{query}", HEADERS))
  end

  def post(path, form)
    run(with_body(Net::HTTP::Post, path, form))
  end

  def put(path, form)
    run(with_body(Net::HTTP::Put, path, form))
  end

  # The gem deletes with a body too.
  def delete(path)
    run(with_body(Net::HTTP::Delete, path, {}))
  end

  private

  def with_body(kind, path, form)
    request = kind.new(path, HEADERS)
    request.body = form.to_json
    request['Content-Type'] = 'application/json'
    request
  end

  # The access token is the user name of HTTP Basic, without a password.
  def run(request)
    request.basic_auth(@token, '')
    request.add_field('AcceptEncoding', 'gzip, deflate')
    request['Intercom-Version'] = @version if @version
    response = Net::HTTP.start(@base.host, @base.port, read_timeout: 30) { |http| http.request(request) }
    @rate_limit = %w[Limit Remaining Reset].map { |name| response["X-RateLimit-#{name}"].to_i }
    text = decode(response['content-encoding'], response.body)
    return nil if text.strip.empty?

    body = JSON.parse(text)
    raise Refused.new(response.code.to_i, body['errors'].first, @rate_limit) if body['type'] == 'error.list'

    body
  end

  def decode(encoding, body)
    return body.to_s if body.nil? || encoding != 'gzip'

    Zlib::GzipReader.new(StringIO.new(body)).read
  end
end

$failures = 0

def check(name)
  reason = nil
  begin
    yield
  rescue StandardError => e
    $failures += 1
    reason = "#{e.class}: #{e.message}\n#{e.backtrace.first(5).join("\n")}"
  end
  puts JSON.generate(check: name, reason: reason)
  $stdout.flush
end

def equal(actual, expected, about = '')
  raise "#{about}: expected #{expected.inspect}, got #{actual.inspect}" unless actual == expected
end

def refused(status, code)
  yield
rescue Refused => e
  equal([e.status, e.code], [status, code], e.message)
  e
else
  raise "expected #{status} #{code}"
end

sandbox, limited = ARGV
token = ENV.fetch('INTERCOM_API_KEY')
client = Client.new(sandbox, token)
now = Time.now.to_i
puts JSON.generate(client: 'intercom-ruby, as it writes')

check('me: the admin and its app') do
  me = client.get('/me')
  equal([me['type'], me['app']['type']], %w[admin app])
end

check('wrong token: an error list') do
  refused(401, 'unauthorized') { Client.new(sandbox, 'of-nobody').get('/me') }
end

check('versions: old and new ones') do
  %w[1.4 2.0 2.6 2.11 Unstable].each do |version|
    equal(Client.new(sandbox, token, version: version).get('/me')['type'], 'admin', version)
  end
  refused(400, 'intercom_version_invalid') { Client.new(sandbox, token, version: '9.9').get('/me') }
end

check('contacts: created, found, changed, listed') do
  made = client.post('/contacts', role: 'user', external_id: 'writer 1 + ü', email: 'writer@example.com')
  equal(client.get("/contacts/#{made['id']}")['email'], 'writer@example.com')
  changed = client.put("/contacts/#{made['id']}", name: 'Ada', custom_attributes: { plan: 'pro' })
  equal([changed['name'], changed['custom_attributes']], ['Ada', { 'plan' => 'pro' }])
  listed = client.get('/contacts', per_page: 50)
  equal(listed['data'].map { |contact| contact['id'] }.include?(made['id']), true)
  equal(client.get("/contacts/#{made['id']}/tags")['data'], [])
end

check('contacts: one that exists is a conflict with its id') do
  made = client.post('/contacts', role: 'user', external_id: 'twice')
  error = refused(409, 'conflict') { client.post('/contacts', role: 'user', external_id: 'twice') }
  equal(error.message[/id=(\S+)$/, 1], made['id'])
end

check('events: accepted without a body, and listed in pages') do
  client.post('/contacts', role: 'user', external_id: 'sender')
  3.times do |age|
    sent = client.post('/events', event_name: "event_#{age}", created_at: now - age, user_id: 'sender',
                                  metadata: { order: { url: 'https://example.com/7', value: '7' } })
    equal(sent, nil)
  end
  names = []
  page = client.get('/events', type: 'user', user_id: 'sender', per_page: 2)
  loop do
    names += page['events'].map { |event| event['event_name'] }
    following = page['pages']['next'] or break
    page = client.get(URI.parse(following).request_uri)
  end
  equal(names, %w[event_0 event_1 event_2])
end

check('events: an unknown user is refused') do
  error = refused(404, 'not_found') { client.post('/events', event_name: 'e', created_at: now, user_id: 'nobody') }
  equal(error.message, 'User Not Found')
end

check('search: filters, and the next page') do
  3.times { |index| client.post('/contacts', role: 'user', external_id: "found-#{index}") }
  query = { field: 'external_id', operator: '^', value: 'found-' }
  ids = []
  after = nil
  loop do
    page = client.post('/contacts/search', query: query, sort: { field: 'external_id', order: 'ascending' },
                                           pagination: { per_page: 2, starting_after: after })
    ids += page['data'].map { |contact| contact['external_id'] }
    after = page.dig('pages', 'next', 'starting_after') or break
  end
  equal(ids, %w[found-0 found-1 found-2])
end

check('merge: a lead into a user') do
  lead = client.post('/contacts', role: 'lead', email: 'merged@example.com')
  user = client.post('/contacts', role: 'user', email: 'merged@example.com')
  equal(client.post('/contacts/merge', from: lead['id'], into: user['id'])['id'], user['id'])
  refused(410, 'contact_merged') { client.get("/contacts/#{lead['id']}") }
  older = Client.new(sandbox, token, version: '2.11')
  refused(404, 'not_found') { older.get("/contacts/#{lead['id']}") }
end

check('retiring: archived, and deleted with a body') do
  user = client.post('/contacts', role: 'user', external_id: 'retired')
  equal(client.post("/contacts/#{user['id']}/archive", {})['archived'], true)
  equal(client.post("/contacts/#{user['id']}/unarchive", {})['archived'], false)
  equal(client.delete("/contacts/#{user['id']}")['deleted'], true)
  refused(404, 'not_found') { client.get("/contacts/#{user['id']}") }
end

check('rate limit: its headers, and an error beyond it') do
  few = Client.new(limited, token)
  error = nil
  20.times do
    few.get('/me')
  rescue Refused => e
    error = e
    break
  end
  equal([error.status, error.code], [429, 'rate_limit_exceeded'])
  limit, remaining, reset = error.rate_limit
  equal([limit, remaining], [3, 0])
  equal((now - 1..Time.now.to_i + 11).cover?(reset), true, 'the reset')
end

exit($failures.zero? ? 0 : 1)
