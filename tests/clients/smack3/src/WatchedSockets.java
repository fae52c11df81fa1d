import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.SocketFactory;

/** Makes the sockets of a phone and counts the lone spaces written to them, which are its heartbeats. */
final class WatchedSockets extends SocketFactory {
    final AtomicInteger heartbeats = new AtomicInteger();

    @Override
    public Socket createSocket(String host, int port) throws IOException {
        return new Watched(host, port);
    }

    @Override
    public Socket createSocket(String host, int port, InetAddress from, int fromPort) throws IOException {
        return createSocket(host, port);
    }

    @Override
    public Socket createSocket(InetAddress host, int port) throws IOException {
        return createSocket(host.getHostAddress(), port);
    }

    @Override
    public Socket createSocket(InetAddress host, int port, InetAddress from, int fromPort) throws IOException {
        return createSocket(host, port);
    }

    private final class Watched extends Socket {
        Watched(String host, int port) throws IOException {
            super(host, port);
        }

        @Override
        public OutputStream getOutputStream() throws IOException {
            return new FilterOutputStream(super.getOutputStream()) {
                @Override
                public void write(byte[] bytes, int from, int length) throws IOException {
                    out.write(bytes, from, length);
                    if (length == 1 && bytes[from] == ' ') {
                        heartbeats.incrementAndGet();
                    }
                }
            };
        }
    }
}
