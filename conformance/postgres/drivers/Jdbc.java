import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;

/** PostgreSQL's JDBC driver, run as a program of its own: one JSON line for each capability. */
public class Jdbc {
  interface Work {
    Object run() throws Exception;
  }

  static final List<String> lines = new ArrayList<>();
  static Connection conn;

  public static void main(String[] arguments) throws Exception {
    conn = connect(System.getenv("PGDATABASE"), Map.of());
    capability("simple query", () -> rows("select id, name from customers order by id limit 3"));
    capability("prepared query", Jdbc::prepared);
    capability("types as text", () -> inMode(Map.of("binaryTransfer", "false"), "select * from typed where id = ?"));
    capability("types in binary", () -> inMode(Map.of("prepareThreshold", "-1"), "select * from typed where id = ?"));
    capability("types as parameters", Jdbc::parameters);
    capability("NULLs", () -> rows("select null::text, null::int, array[null]::int[]"));
    capability("large row", Jdbc::large);
    capability("100,000 rows", Jdbc::many);
    capability("transactions", Jdbc::transactions);
    capability("error in transaction", Jdbc::errorInTransaction);
    capability("several statements at once", Jdbc::several);
    capability("copy text", () -> copy("", "1\ta\n2\t\\N\n"));
    capability("copy csv", () -> copy(" (format csv)", "1,\"a,b\"\n2,\n"));
    capability("copy binary", Jdbc::copyBinary);
    capability("error in copy", () -> List.of(attempt(() -> copy("", "no number\tx\n")), rows("select count(*) from items")));
    capability("notifications", Jdbc::notifications);
    capability("cancel", Jdbc::cancel);
    capability("notices", Jdbc::notices);
    capability("portal by portions", Jdbc::portions);
    capability("batch", Jdbc::batch);
    capability("pipeline with a denied statement", Jdbc::deniedInBatch);
    capability("generated keys", Jdbc::keys);
    capability("about the schema", Jdbc::schema);
    capability("masked as text", () -> rows("select id, ssn, profile from customers order by id limit 3"));
    capability("masked in binary", () -> inMode(Map.of("prepareThreshold", "-1"), "select id, ssn, profile from customers where id < ? + 3 order by id"));
    capability("masked types", Jdbc::shaded);
    capability("denied", () -> List.of(attempt(() -> rows("select * from forbidden")), attempt(Jdbc::forbidden), rows("select 1")));
    capability("denied in a transaction", Jdbc::deniedInTransaction);
    capability("prepared, 300 times", Jdbc::often);
    capability("64 connections", Jdbc::connections);
    conn.close();
    System.out.println(String.join("\n", lines));
  }

  static Connection connect(String database, Map<String, String> changes) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", System.getenv("PGUSER"));
    properties.setProperty("password", System.getenv("PGPASSWORD"));
    properties.setProperty("sslmode", "verify-full");
    properties.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
    changes.forEach(properties::setProperty);
    return DriverManager.getConnection("jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + database, properties);
  }

  static Object prepared() throws SQLException {
    List<Object> found = new ArrayList<>();
    try (PreparedStatement query = conn.prepareStatement("select name, ? + id from customers where id = ?")) {
      // The server-side statement is made at the fifth run.
      for (int id = 1; id <= 8; id += 1) {
        query.setInt(1, 40);
        query.setInt(2, id);
        found.add(all(query.executeQuery()));
      }
    }
    return found;
  }

  static Object inMode(Map<String, String> mode, String text) throws SQLException {
    try (Connection other = connect(System.getenv("PGDATABASE"), mode); PreparedStatement query = other.prepareStatement(text)) {
      query.setInt(1, 1);
      all(query.executeQuery());
      return all(query.executeQuery());
    }
  }

  static Object parameters() throws SQLException {
    List<Object> found = new ArrayList<>();
    try (PreparedStatement query = conn.prepareStatement("select ?::int8, ?::numeric, ?::bool, ?::bytea, ?::jsonb, ?::int[], ?::timestamptz, ?::text")) {
      for (int run = 0; run < 7; run += 1) {
        query.setLong(1, 9007199254740993L);
        query.setBigDecimal(2, new java.math.BigDecimal("1.50"));
        query.setBoolean(3, true);
        query.setBytes(4, new byte[] {0, (byte) 255});
        query.setString(5, "{\"a\": [1]}");
        query.setArray(6, conn.createArrayOf("integer", new Integer[] {1, null, 3}));
        query.setObject(7, java.time.OffsetDateTime.parse("2026-02-28T01:02:03Z"));
        query.setString(8, null);
        found.add(all(query.executeQuery()));
      }
    }
    return found;
  }

  static Object large() throws SQLException {
    String big = "x".repeat(10_000_000);
    try (PreparedStatement query = conn.prepareStatement("select ?::text")) {
      query.setString(1, big);
      ResultSet result = query.executeQuery();
      result.next();
      return result.getString(1).equals(big);
    }
  }

  static Object many() throws SQLException {
    List<Object> found = all(conn.createStatement().executeQuery("select id, 'row ' || id from payments order by id"));
    return List.of(found.size(), found.get(99_999));
  }

  static Object transactions() throws SQLException {
    fresh();
    conn.setAutoCommit(false);
    run("insert into items values (1, 'rolled back')");
    conn.rollback();
    run("insert into items values (2, 'kept')");
    Savepoint savepoint = conn.setSavepoint("here");
    run("insert into items values (3, 'undone')");
    conn.rollback(savepoint);
    conn.commit();
    conn.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
    conn.setReadOnly(true);
    Object refused = attempt(() -> run("insert into items values (4, 'read only')"));
    conn.rollback();
    conn.setReadOnly(false);
    conn.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
    conn.setAutoCommit(true);
    return List.of(refused, rows("select * from items order by id"));
  }

  static Object errorInTransaction() throws SQLException {
    conn.setAutoCommit(false);
    Object first = attempt(() -> rows("select 1/0"));
    Object second = attempt(() -> rows("select 1"));
    conn.rollback();
    conn.setAutoCommit(true);
    return List.of(first, second, rows("select 2"));
  }

  static Object several() throws SQLException {
    fresh();
    List<Object> found = new ArrayList<>();
    try (Statement statement = conn.createStatement()) {
      boolean isResult = statement.execute("insert into items values (1, 'a'); select note from items; update items set note = 'b'");
      while (isResult || statement.getUpdateCount() >= 0) {
        found.add(isResult ? all(statement.getResultSet()) : (Object) statement.getUpdateCount());
        isResult = statement.getMoreResults();
      }
    }
    return found;
  }

  static Object copy(String options, String text) throws Exception {
    fresh();
    var manager = conn.unwrap(PGConnection.class).getCopyAPI();
    long copied = manager.copyIn("copy items from stdin" + options, new StringReader(text));
    StringWriter out = new StringWriter();
    manager.copyOut("copy items to stdout" + options, out);
    return List.of(copied, out.toString());
  }

  static Object copyBinary() throws Exception {
    fresh();
    run("insert into items values (1, 'a'), (2, null)");
    try (Connection open = connect(System.getenv("OPEN_DATABASE"), Map.of())) {
      var manager = open.unwrap(PGConnection.class).getCopyAPI();
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      manager.copyOut("copy items to stdout (format binary)", out);
      fresh();
      manager.copyIn("copy items from stdin (format binary)", new ByteArrayInputStream(out.toByteArray()));
      return List.of(HexFormat.of().formatHex(out.toByteArray()), rows("select * from items order by id"));
    }
  }

  static Object notifications() throws SQLException {
    try (Connection open = connect(System.getenv("OPEN_DATABASE"), Map.of())) {
      open.createStatement().execute("listen news");
      run("notify news, 'good'");
      PGNotification[] heard = open.unwrap(PGConnection.class).getNotifications(10_000);
      return List.of(heard[0].getName(), heard[0].getParameter());
    }
  }

  static Object cancel() throws Exception {
    try (Statement slow = conn.createStatement()) {
      slow.setQueryTimeout(1);
      Object ended = attempt(() -> slow.executeQuery("select pg_sleep(30)"));
      // The server signals a cancelled backend twice (its process and its group): the second one must not hit what comes next.
      Thread.sleep(300);
      return List.of(ended, rows("select 1"));
    }
  }

  static Object notices() throws SQLException {
    List<Object> heard = new ArrayList<>();
    try (Connection open = connect(System.getenv("OPEN_DATABASE"), Map.of()); Statement statement = open.createStatement()) {
      statement.execute("do $$ begin raise notice 'from the server'; raise warning 'and more'; end $$");
      for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning()) heard.add(warning.getMessage());
    }
    return heard;
  }

  static Object portions() throws SQLException {
    conn.setAutoCommit(false);
    try (PreparedStatement query = conn.prepareStatement("select id, name from customers where id <= ? order by id")) {
      query.setFetchSize(10);
      query.setInt(1, 25);
      int count = 0;
      try (ResultSet result = query.executeQuery()) {
        while (result.next()) count += 1;
      }
      try (ResultSet result = query.executeQuery()) {
        result.next();
        return List.of(count, result.getInt(1));
      }
    } finally {
      conn.commit();
      conn.setAutoCommit(true);
    }
  }

  static Object batch() throws SQLException {
    fresh();
    try (PreparedStatement insert = conn.prepareStatement("insert into items values (?, ?)")) {
      for (int id = 0; id < 1_000; id += 1) {
        insert.setInt(1, id);
        insert.setString(2, "note " + id);
        insert.addBatch();
      }
      int[] counts = insert.executeBatch();
      for (int id : new int[] {2_000, 1, 2_001}) {
        insert.setInt(1, id);
        insert.setString(2, "twice");
        insert.addBatch();
      }
      Object failed = attempt(insert::executeBatch);
      return List.of(Arrays.stream(counts).sum(), failed, rows("select count(*), max(id) from items"));
    }
  }

  static Object deniedInBatch() throws SQLException {
    fresh();
    try (Statement batch = conn.createStatement()) {
      batch.addBatch("insert into items values (1, 'first')");
      batch.addBatch("delete from forbidden where id = 1");
      batch.addBatch("insert into items values (2, 'second')");
      return List.of(attempt(batch::executeBatch), rows("select * from items order by id"));
    }
  }

  static Object keys() throws SQLException {
    run("truncate notes restart identity");
    try (PreparedStatement insert = conn.prepareStatement("insert into notes (note) values (?), ('b')", Statement.RETURN_GENERATED_KEYS)) {
      insert.setString(1, "a");
      insert.executeUpdate();
      return all(insert.getGeneratedKeys());
    }
  }

  static Object schema() throws SQLException {
    List<Object> found = new ArrayList<>();
    var about = conn.getMetaData();
    for (ResultSet result : List.of(about.getColumns(null, "public", "items", "%"), about.getPrimaryKeys(null, "public", "items"))) {
      while (result.next()) found.add(result.getString("TABLE_NAME") + "." + result.getString("COLUMN_NAME"));
    }
    return found;
  }

  static Object shaded() throws SQLException {
    List<Object> found = new ArrayList<>();
    for (String threshold : List.of("0", "-1")) {
      try (Connection other = connect(System.getenv("PGDATABASE"), Map.of("prepareThreshold", threshold));
          PreparedStatement query = other.prepareStatement("select * from shaded")) {
        query.executeQuery();
        ResultSet result = query.executeQuery();
        result.next();
        Map<String, Object> row = new LinkedHashMap<>();
        for (int at = 1; at <= result.getMetaData().getColumnCount(); at += 1) row.put(result.getMetaData().getColumnName(at), value(result, at));
        found.add(row);
      }
    }
    return found;
  }

  static Object forbidden() throws SQLException {
    try (PreparedStatement query = conn.prepareStatement("select * from forbidden where id = ?")) {
      query.setInt(1, 1);
      return all(query.executeQuery());
    }
  }

  static Object deniedInTransaction() throws SQLException {
    fresh();
    conn.setAutoCommit(false);
    run("insert into items values (1, 'lost')");
    Object denied = attempt(Jdbc::forbidden);
    Object after = attempt(() -> rows("select 1"));
    conn.rollback();
    conn.setAutoCommit(true);
    return List.of(denied, after, rows("select count(*) from items"));
  }

  static Object often() throws SQLException {
    int sum = 0;
    try (PreparedStatement query = conn.prepareStatement("select id from customers where id = ?")) {
      for (int id = 1; id <= 300; id += 1) {
        query.setInt(1, id);
        ResultSet result = query.executeQuery();
        result.next();
        sum += result.getInt(1);
      }
    }
    return sum;
  }

  static Object connections() throws SQLException {
    List<Connection> many = new ArrayList<>();
    for (int n = 0; n < 64; n += 1) many.add(connect(System.getenv("PGDATABASE"), Map.of()));
    int answers = 0;
    for (Connection one : many) {
      answers += all(one.createStatement().executeQuery("select 1")).size();
      one.close();
    }
    return answers;
  }

  // ---- helpers

  static Object run(String text) throws SQLException {
    try (Statement statement = conn.createStatement()) {
      return statement.executeUpdate(text);
    }
  }

  static void fresh() throws SQLException {
    run("delete from items");
  }

  static List<Object> rows(String text) throws SQLException {
    try (Statement statement = conn.createStatement()) {
      return all(statement.executeQuery(text));
    }
  }

  static List<Object> all(ResultSet result) throws SQLException {
    List<Object> found = new ArrayList<>();
    while (result.next()) {
      List<Object> row = new ArrayList<>();
      for (int at = 1; at <= result.getMetaData().getColumnCount(); at += 1) row.add(value(result, at));
      found.add(row);
    }
    result.close();
    return found;
  }

  static Object value(ResultSet result, int at) throws SQLException {
    Object value = result.getObject(at);
    if (value instanceof byte[] bytes) return HexFormat.of().formatHex(bytes);
    if (value instanceof java.sql.Array array) return Arrays.toString((Object[]) array.getArray());
    return value;
  }

  static Object attempt(Work work) {
    try {
      work.run();
      return "no error";
    } catch (SQLException error) {
      return Map.of("sqlstate", String.valueOf(error.getSQLState()), "message", String.valueOf(error.getMessage()));
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }

  static void capability(String name, Work work) {
    try {
      lines.add("{\"capability\":" + json(name) + ",\"value\":" + json(work.run()) + "}");
    } catch (Exception error) {
      StringWriter trace = new StringWriter();
      error.printStackTrace(new java.io.PrintWriter(trace));
      lines.add("{\"capability\":" + json(name) + ",\"error\":" + json(trace.toString()) + "}");
    }
  }

  static String json(Object value) {
    if (value == null) return "null";
    if (value instanceof Boolean || value instanceof Integer || value instanceof Long) return value.toString();
    if (value instanceof List<?> list) return "[" + String.join(",", list.stream().map(Jdbc::json).toList()) + "]";
    if (value instanceof Map<?, ?> map) {
      return "{" + String.join(",", map.entrySet().stream().map(entry -> json(entry.getKey()) + ":" + json(entry.getValue())).toList()) + "}";
    }
    return quoted(value.toString());
  }

  static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char unit : text.toCharArray()) {
      if (unit == '"' || unit == '\\') quoted.append('\\').append(unit);
      else if (unit < 0x20 || unit > 0x7e) quoted.append(String.format("\\u%04x", (int) unit));
      else quoted.append(unit);
    }
    return quoted.append('"').toString();
  }
}
